package monitor

import "time"

// Value is a number with a name, such as a loss term.
type Value struct {
	Name  string
	Value float64
}

// Tick is the state of a run at the end of a tick, which is a stretch of training between two reports.
type Tick struct {
	Tick        int64         // number of the tick, from 0
	Step        int64         // optimiser steps since the start of the run
	Images      int64         // training images seen since the start of the run
	TotalImages int64         // images after which the run ends; 0 if unknown
	Epoch       float64       // passes over the data set, with a fraction
	Time        time.Time     // when the tick ended
	Elapsed     time.Duration // since the start of this session; a resumed run begins again at 0
	TickTime    time.Duration // duration of this tick
	ImgPerSec   float64       // training images per second during this tick
	ETA         time.Duration // time left; negative if unknown

	Terms     []Value  // loss terms, the mean over the tick, in the order to show them
	LR        []Value  // learning rates, by optimiser
	Resources []Value  // e.g. cpumem and gpumem in GiB
	Weight    *float64 // weight of the TIGAS term; nil if the run has none
	Score     *float64 // mean TIGAS score over the tick; nil if none was computed
}
