package trainers

import (
	"context"

	"github.com/tigas-train/tigas-train/pkg/data"
)

// labelledStream is batches of which the first half is real and the second generated, each half from a loader of its own:
// a set that is smaller than the other is gone through more often.
type labelledStream struct {
	loaders [2]*data.Loader // real, generated
	pulls   [2]*puller
	pix     []byte
}

func newLabelledStream(ctx context.Context, l data.Labelled, o DetectorRunOptions) (*labelledStream, error) {
	augment, err := data.ParseAugment(o.Augment)
	if err != nil {
		return nil, err
	}
	st := &labelledStream{}
	for k, ds := range []data.Dataset{l.Real, l.Fake} {
		st.loaders[k], err = data.NewLoader(data.AsScored(ds), data.LoaderOptions{
			Batch: o.Batch / 2, Workers: max(1, data.Workers(o.Workers)/2),
			Seed:      uint64(o.Seed)<<1 | uint64(k), // should both sets be the same, their batches are not
			Transform: data.Transform{Resolution: o.Resolution, Augment: augment}})
		if err != nil {
			return nil, err
		}
	}
	for k, loader := range st.loaders {
		st.pulls[k] = pull(ctx, loader)
	}
	return st, nil
}

// next returns the pixels of a batch, valid until the next call.
func (st *labelledStream) next() ([]byte, error) {
	st.pix = st.pix[:0]
	for _, p := range st.pulls {
		b, err, ok := p.next()
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, context.Canceled
		}
		st.pix = append(st.pix, b.Pixels...)
	}
	return st.pix, nil
}

func (st *labelledStream) stop() {
	for _, p := range st.pulls {
		p.stop()
	}
}
