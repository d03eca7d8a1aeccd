// Package checkpoint is the run folder and the snapshots in it.
//
//	runs/00003-gan-demo/
//	    config.json                          what was run, enough to build the networks again
//	    log.jsonl                            one object for each tick
//	    samples/reals.png, fakes000200.064.png   pictures, by thousands of images
//	    snapshots/network-snapshot-000200.064.safetensors
//	    snapshots/manifest.json              their sizes and checksums: what is not in it is not there
//	    lock                                 of the one process that writes
//
// A snapshot is complete on disk before the manifest names it, and the manifest is before an older snapshot goes.
package checkpoint
