// Package sched computes scalar values that change during training: the weight of the TIGAS term, learning rates, the
// weight of a KL term, the noise of a diffusion process. It is plain Go and imports nothing of this module.
//
// Three types carry everything. A [Schedule] gives a value for every moment of a run. A [Progress] is such a moment: steps,
// images and epochs so far. A [Span] is a length of training with its unit, such as 10 epochs.
//
//	w, err := sched.NewWarmup(0.1, sched.Span{N: 10, Unit: sched.Epoch}, sched.Span{}) // 0 to 0.1 over 10 epochs
//	every, err := sched.NewInterval(4, true)                                           // on every 4th step, 4 times as much
//	...
//	p := sched.NewProgress(step, images, dataset)
//	if c := every.Weight(w, p); c != 0 {
//		loss = loss + c*term // the detector runs only here
//	}
//
// # Schedules
//
// [Constant] is one value, [Switch] two of them, [Linear] and [Cosine] go from one to another, [LinearDecay] falls to zero.
// [DelayedStart] puts zeros before a schedule and [Chain] another schedule; chains nest. [NewWarmup] is what command lines
// ask for. Anything else with a method At is a Schedule too.
//
// A schedule is a pure function of the progress. It holds no counter, so a run that resumes needs nothing but the
// schedule's parameters and the progress stored in the snapshot, and gets the same values to the last bit. [Any] writes
// the parameters to JSON with a type tag and reads them back. An [Interval] is for terms that cost too much for every
// step.
//
// [Noise] is the noise schedule of a diffusion process, a table of numbers by timestep, and no Schedule.
//
// # Units
//
// A schedule in the unit [Epoch] changes once per epoch, one in [FracEpoch] with every step. [Kimg], thousands of training
// images, does not depend on the batch size. [ParseSpan] reads "10epoch", "500step", "20kimg" and "2.5fracepoch", and
// refuses a number without a unit.
//
// # Errors
//
// Every constructor and Validate method returns a one-line error for NaN, an infinity or a negative length; what parses
// returns one for what it does not understand. The fields are exported so that a schedule can be read and printed; whoever
// fills them by hand calls Validate. Nothing panics but At of a schedule whose parts are missing, which Validate
// refuses, and methods of [Noise] for a timestep that it does not have.
//
// # Memory and goroutines
//
// Schedules, spans and intervals are small values, to be copied; a *[Noise] never changes. All may be used by several
// goroutines at once.
package sched
