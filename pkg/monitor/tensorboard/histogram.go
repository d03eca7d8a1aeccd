package tensorboard

import (
	"math"
	"sort"
	"sync"
)

// Field numbers of histogram.proto in tensorboard/compat/proto.
const (
	histoMin         = 1
	histoMax         = 2
	histoNum         = 3
	histoSum         = 4
	histoSumSquares  = 5
	histoBucketLimit = 6
	histoBucket      = 7
)

// bucketLimits are the upper ends of TensorFlow's default buckets: 1e-12 * 1.1^k below 1e20, the same below zero, zero, and
// the largest number, so that no value is beyond the last. PyTorch's are these without the last one. Each is made of the one
// before as there, to agree in the last digit (InitDefaultBucketsInner in tsl/lib/histogram/histogram.cc; SummaryWriter in
// torch/utils/tensorboard/writer.py).
var bucketLimits = sync.OnceValue(func() []float64 {
	var positive []float64
	for v := 1e-12; v < 1e20; v *= 1.1 {
		positive = append(positive, v)
	}
	limits := make([]float64, 0, 2*len(positive)+2)
	for i := len(positive) - 1; i >= 0; i-- {
		limits = append(limits, -positive[i])
	}
	limits = append(limits, 0)
	limits = append(limits, positive...)
	return append(limits, math.MaxFloat64)
})

// Histogram adds how values are distributed, in buckets that grow by a tenth from 1e-12 on, for both signs. A value at a
// limit is in the bucket above it. NaN and infinities are left out; without any other value nothing is added.
func (w *Writer) Histogram(tag string, step int64, values []float64) {
	limits := bucketLimits()
	counts := make([]float64, len(limits))
	first, last := len(limits), -1 // of the buckets that are not empty
	least, most, sum, squares, num := math.Inf(1), math.Inf(-1), 0.0, 0.0, 0.0
	for _, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		i := sort.Search(len(limits)-1, func(i int) bool { return limits[i] > v }) // the last takes the rest
		counts[i]++
		first, last = min(first, i), max(last, i)
		least, most = min(least, v), max(most, v)
		sum += v
		squares += v * v
		num++
	}
	if num == 0 {
		return
	}

	// From the first that is not empty to the last: readers put min and max in the place of the outermost ends. Empty ones
	// in a row become one, as in TensorFlow.
	var ends, filled []float64
	for i := first; i <= last; i++ {
		if counts[i] == 0 && counts[i+1] == 0 {
			continue
		}
		ends, filled = append(ends, limits[i]), append(filled, counts[i])
	}
	histo := message(nil).double(histoMin, least).double(histoMax, most).double(histoNum, num).double(histoSum, sum).
		double(histoSumSquares, squares).packed(histoBucketLimit, ends).packed(histoBucket, filled)
	w.value(step, newValue(tag).bytes(valueHisto, histo))
}
