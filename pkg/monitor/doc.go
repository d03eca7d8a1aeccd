// Package monitor shows a run to people and programs: a line on the console, log.jsonl, sample pictures.
//
// Nothing here prints by itself: every writer is handed in.
package monitor
