// Package monitor shows a run to people and programs: a line on the console, log.jsonl, sample pictures, animations,
// histograms, contact sheets.
//
// A [Tick] is what is known at the end of a stretch of training: where the run is, and means under names. A [Console] shows
// ticks to a person, a [JSONLog] keeps them for programs, and [ReadLog] reads them again. [QuantityOf] says what a name in
// the log means: its words, its chart, its tag.
//
//	console := &monitor.Console{W: os.Stderr, Live: true}
//	log, err := monitor.OpenJSONLog(run.Log())
//	...
//	tick := monitor.Tick{Step: 3200, Kimg: 204.8, Total: 1000, Values: []monitor.Value{{Name: "G", Value: 0.7}}}
//	console.Tick(tick)
//	err = log.Tick(tick)
//	err = monitor.WriteGrid(run.Picture("fakes", 204_800), pix, n, h, w, 8) // 8 pictures in a row
//
// Below it are tensorboard, which writes event files, report, the page about runs, and diagnose, the rules that say what is
// wrong with one.
//
// Nothing here prints by itself: every writer is handed in. Pictures are bytes, n of them as [3, h, w] RGB planes one after
// the other; functions of pixels panic when there are too few. What writes or reads files returns errors. A Console is safe
// for concurrent use, everything else is used by one goroutine at a time.
package monitor
