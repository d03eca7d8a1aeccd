package trainers

import (
	"fmt"
	"math"
	"path/filepath"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

// onStep adds up an update, and validates at the end of an epoch.
func (r *detectorRun) onStep(st DetectorStep) error {
	t := &r.report.Settings
	t.Steps, t.Kimg = st.Step+1, float64((st.Step+1)*r.o.Batch)/1000
	if st.Skipped != nil {
		if t.Skipped++; r.sums.skipped == 0 {
			r.o.Console.Warn("the gradient is not finite at step %d: the update is left out", st.Step)
		}
		r.sums.skipped++
	} else {
		r.sums.loss, r.sums.class, r.sums.n = r.sums.loss+st.Loss, r.sums.class+st.Class, r.sums.n+1
	}
	if t.Steps%r.perEpoch == 0 || t.Steps == r.steps {
		return r.endEpoch(st)
	}
	if r.o.Console.Live && time.Since(r.shown) > time.Second {
		r.shown = time.Now()
		r.o.Console.Tick(r.tick(monitor.Value{Name: "loss", Value: st.Loss}))
	}
	return nil
}

// tick is where the run is, by the speed of the last epoch.
func (r *detectorRun) tick(values ...monitor.Value) monitor.Tick {
	t := r.report.Settings
	return monitor.Tick{N: (t.Steps + r.perEpoch - 1) / r.perEpoch, Step: int64(t.Steps), Kimg: t.Kimg,
		Total: float64(r.steps*r.o.Batch) / 1000, Epoch: float64(t.Steps) / float64(r.perEpoch), Elapsed: r.rate.Elapsed(),
		Rate: r.rate.PerSecond(), ETA: r.rate.ETA(int64(r.steps) * int64(r.o.Batch)), Values: values}
}

// endEpoch validates, keeps the weights if they are the best so far, and logs.
func (r *detectorRun) endEpoch(st DetectorStep) error {
	epoch := (st.Step + r.perEpoch) / r.perEpoch
	f := JudgeScores(r.scores(r.eval.ForwardTensor, r.val[0]), r.scores(r.eval.ForwardTensor, r.val[1]), r.o.Smoothing)
	if f.Slope = r.slope(); math.IsNaN(f.AUC) || math.IsNaN(f.Slope) {
		return fmt.Errorf("%w: the scores of validation pictures are not finite after step %d: lower the learning rate",
			ErrDiverged, st.Step)
	}
	if r.bestAt == 0 || f.better(r.report.Validation) {
		r.bestAt, r.report.Settings.BestEpoch, r.report.Validation = epoch, epoch, f
		for i, t := range r.tensors() {
			torch.NoGrad(func() { r.best[i].Copy_(t.Tensor) })
		}
		if err := saveDetector(r.o.Out.Dir, r.net, &r.report); err != nil {
			return err
		}
	}
	if err := r.saveLast(); err != nil {
		return err
	}
	images := int64(r.report.Settings.Steps) * int64(r.o.Batch)
	r.rate.Observe(time.Now(), images)
	n := float64(max(1, r.sums.n))
	tick := r.tick([]monitor.Value{{Name: "loss", Value: r.sums.loss / n}, {Name: "class_loss", Value: r.sums.class / n},
		{Name: "val_loss", Value: f.Loss}, {Name: "val_auc", Value: f.AUC}, {Name: "val_accuracy", Value: f.Accuracy},
		{Name: "val_slope", Value: f.Slope},
		{Name: "val_real", Value: f.MeanReal}, {Name: "val_fake", Value: f.MeanFake}, {Name: "lr_detector", Value: st.LR}}...)
	if r.sums.skipped > 0 {
		tick.Values = append(tick.Values, monitor.Value{Name: "skipped", Value: float64(r.sums.skipped)})
	}
	r.sums.loss, r.sums.class, r.sums.n, r.sums.skipped = 0, 0, 0, 0
	r.o.Console.Tick(tick)
	if r.o.OnTick != nil {
		r.o.OnTick(tick)
	}
	if err := r.log.Tick(tick); err != nil {
		return err
	}
	if r.o.Patience > 0 && epoch-r.bestAt >= r.o.Patience {
		r.o.Console.Message("stopping  no better validation in %d epochs", r.o.Patience)
		return errEnough
	}
	return nil
}

// saveLast writes the newest weights, by PyTorch's names.
func (r *detectorRun) saveLast() error {
	tensors := func(yield func(string, *torch.Tensor) bool) {
		for _, t := range r.tensors() {
			if !yield(t.Name, t.Tensor) {
				return
			}
		}
	}
	card, err := r.net.Arch.Card(network.Options{}, r.o.Resolution)
	if err != nil {
		return err
	}
	return checkpoint.Save(filepath.Join(r.o.Out.Dir, DetectorLastFile), tensors, map[string]string{
		"format": network.CardFormat, "card": card.Text(), "step": fmt.Sprint(r.report.Settings.Steps)})
}
