// Package monitor shows a run while it trains: a [Console] for people, a [JSONLog] for programs, and picture grids
// ([Grid]) of what the generator makes. A training loop collects values in a [Meter], measures its speed with a
// [Rate], and once per tick hands everything over as a [Tick].
//
// Nothing here opens the terminal or prints by itself: the Console writes to the writer it is given, and whether that
// is a terminal is the caller's to say.
package monitor
