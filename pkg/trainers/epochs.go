package trainers

import (
	"math"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// epochs is the mean score of each pass over the data, as the recipe logs it. An epoch ends within a tick, so each score
// remembers its own.
type epochs struct {
	Epoch int64 `json:"epoch"` // the one that is being added up, from 0
	mean
	Done []epochScore `json:"done,omitempty"` // those that are over and not in the log yet
}

type epochScore struct {
	Epoch int64   `json:"epoch"`
	Score float64 `json:"score"`
}

// epochAt is the epoch that an image belongs to which is the last one at a position in passes over the data: at 2.0 that is 1.
func epochAt(position float64) int64 { return int64(max(0, math.Ceil(position)-1)) }

// add counts a score of an epoch.
func (e *epochs) add(epoch int64, v float64) {
	if epoch != e.Epoch {
		e.end()
		e.Epoch = epoch
	}
	if finite(v) {
		e.Sum += v
		e.N++
	}
}

// end closes the epoch. One without a score is left out.
func (e *epochs) end() {
	if e.N > 0 {
		e.Done = append(e.Done, epochScore{e.Epoch, e.Sum / float64(e.N)})
	}
	e.mean = mean{}
}

// take returns the epochs that are over at a position and were not returned yet.
func (e *epochs) take(position float64) (done []epochScore) {
	if position >= float64(e.Epoch+1) {
		e.end()
	}
	done, e.Done = e.Done, nil
	return done
}

// epochValues is the latest of the epochs that ended in a tick, for the log.
func epochValues(ended []epochScore) []monitor.Value {
	if len(ended) == 0 {
		return nil
	}
	last := ended[len(ended)-1]
	return []monitor.Value{{Name: "epoch_score", Value: last.Score}, {Name: "epoch_done", Value: float64(last.Epoch)}}
}
