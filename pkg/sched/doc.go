// Package sched computes scalar values that change during training: the weight of the TIGAS term, learning rates,
// the weight of a KL term.
//
// A [Schedule] is a pure function of how far the run has come ([Progress]). It holds no counter, so a run that resumes
// needs nothing but the schedule's parameters and the progress stored in the snapshot. [Any] writes the parameters to
// JSON with a type tag and reads them back.
//
//	w, err := sched.NewWarmup(0.1, sched.Span{N: 10, Unit: sched.Epoch}, sched.Span{})
//	every, err := sched.NewInterval(4, true)
//	...
//	if c := every.Weight(w, p); c != 0 {
//	        loss = loss + c*term // the detector runs only here
//	}
//
// Every constructor and Validate method returns a one-line error for NaN, an infinity or a negative length. The fields
// are exported so that a schedule can be read and printed; whoever fills them by hand calls Validate.
package sched
