package trainers

import (
	"bytes"
	"encoding/json"
	"image/png"
	"os"
	"time"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/monitor/diagnose"
	"github.com/tigas-train/tigas-train/pkg/monitor/tensorboard"
)

// observers are those who look at what the log gets, and whose failing costs the run nothing.
type observers struct {
	events  *tensorboard.Writer          // nil: none, or it failed
	entries []monitor.LogEntry           // of the whole run, for the diagnosis
	told    map[string]diagnose.Severity // of the rules whose findings were told in this session
}

// startObservers opens the event file and reads what the log has of earlier sessions.
func (l *loop) startObservers() {
	l.told = map[string]diagnose.Severity{}
	if l.o.Resume != "" && l.o.Diagnosis != nil {
		var err error
		if l.entries, err = monitor.ReadLog(l.o.Out.Log()); err != nil {
			l.o.Console.Warn("the diagnosis begins anew: %s", err)
		}
	}
	if !l.o.TensorBoard {
		return
	}
	var err error
	if l.events, err = tensorboard.Create(l.o.Out.Dir); err != nil {
		l.withoutEvents(err)
		return
	}
	if l.o.Resume != "" {
		l.events.Restart(l.s.Images + 1)
	} else if l.o.Config != "" {
		l.events.Text("config", 0, indented(l.o.Config))
	}
}

func (l *loop) stopObservers() {
	if l.events == nil {
		return
	}
	if err := l.events.Close(); err != nil {
		l.withoutEvents(err)
	}
}

// withoutEvents goes on without the event file.
func (l *loop) withoutEvents(err error) {
	l.o.Console.Warn("no TensorBoard events: %s", err)
	l.events = nil
}

func (l *loop) flushEvents() {
	if l.events == nil {
		return
	}
	if err := l.events.Flush(); err != nil {
		l.withoutEvents(err)
	}
}

// indented is JSON as a piece of code in Markdown, which is what TensorBoard takes a text for.
func indented(text string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(text), "    ", "  "); err != nil {
		return text
	}
	return "    " + b.String()
}

// observe shows a tick of so many steps to TensorBoard and to the diagnosis. The horizontal axis of TensorBoard is the images shown so far, which
// runs of different batches have in common; only Generator/TIGAS_score counts epochs, as in the recipe.
func (l *loop) observe(t monitor.Tick, steps int, ended []epochScore) {
	if l.events != nil {
		at, perKimg := l.s.Images, 0.0
		for _, v := range t.Values {
			switch v.Name {
			case "epoch_score", "epoch_done":
			default:
				l.events.Scalar(monitor.QuantityOf(v.Name).Tag, at, v.Value)
			}
		}
		for _, e := range ended {
			l.events.Scalar(monitor.QuantityOf("epoch_score").Tag, e.Epoch, e.Score)
		}
		if t.Rate > 0 {
			perKimg = 1000 / t.Rate
		}
		sec := t.Elapsed.Seconds()
		maintenance := 0.0 // of the tick, as stylegan2-ada has it
		for _, v := range t.Values {
			if v.Name == monitor.PhasePrefix+"pictures" || v.Name == monitor.PhasePrefix+"snapshot" {
				maintenance += v.Value * float64(steps)
			}
		}
		for _, v := range []monitor.Value{
			{Name: "Timing/maintenance_sec", Value: maintenance}, {Name: "Progress/tick", Value: float64(t.N)}, {Name: "Progress/kimg", Value: t.Kimg}, {Name: "Progress/epoch", Value: t.Epoch},
			{Name: "Throughput/img_per_sec", Value: t.Rate}, {Name: "Timing/sec_per_kimg", Value: perKimg},
			{Name: "Timing/sec_per_tick", Value: l.rate.TickTime().Seconds()}, {Name: "Timing/total_sec", Value: sec},
			{Name: "Timing/total_hours", Value: sec / 3600}, {Name: "Timing/total_days", Value: sec / 86400},
			{Name: "Resources/cpu_mem_gb", Value: monitor.ResidentGB()}, {Name: "Resources/live_tensors", Value: float64(torch.LiveTensors())},
		} {
			l.events.Scalar(v.Name, at, v.Value)
		}
		l.flushEvents()
	}
	if l.o.Diagnosis != nil {
		l.entries = append(l.entries, monitor.LogEntry{Time: time.Now(), Tick: t})
		l.diagnose()
	}
}

// observePictures shows what was drawn to both.
func (l *loop) observePictures(t monitor.Tick, m measured) {
	if l.events != nil {
		for _, v := range t.Values {
			l.events.Scalar(monitor.QuantityOf(v.Name).Tag, l.s.Images, v.Value)
		}
		if m.scores != nil {
			l.events.Scalar("TIGAS/gap", l.s.Images, l.real.score-m.score)
		}
		l.events.Histogram("TIGAS/scores_samples", l.s.Images, m.scores)
		if l.s.Images == 0 {
			l.events.Histogram("TIGAS/scores_data", 0, l.real.scores)
			l.showPicture("Samples/reals", l.o.Out.Sample("reals.png"))
		}
		l.showPicture("Samples/fakes", l.o.Out.Picture("fakes", l.s.Images))
		if m.scores != nil {
			l.showPicture("Samples/by_score", l.o.Out.Picture("scores", l.s.Images))
		}
		l.flushEvents()
	}
	if l.o.Diagnosis != nil {
		if n := len(l.entries); n > 0 && l.entries[n-1].Step == t.Step {
			l.entries[n-1].Values = append(l.entries[n-1].Values, t.Values...) // as a log is read
		} else {
			l.entries = append(l.entries, monitor.LogEntry{Time: time.Now(), Tick: t})
		}
		l.diagnose()
	}
}

// showPicture adds a picture that was just written to the events, or nothing, if it cannot be read.
func (l *loop) showPicture(tag, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		return
	}
	if c, err := png.DecodeConfig(bytes.NewReader(text)); err == nil {
		l.events.Image(tag, l.s.Images, text, c.Height, c.Width)
	}
}

// diagnose looks at the run as it is now, and tells what is found for the first time in this session, or is worse than before.
func (l *loop) diagnose() {
	for _, f := range diagnose.Check(*l.o.Diagnosis, l.entries) {
		if before, ok := l.told[f.Rule]; ok && f.Severity <= before {
			continue
		}
		l.told[f.Rule] = f.Severity
		switch f.Severity {
		case diagnose.Problem:
			l.o.Console.Problem("%s", f)
		case diagnose.Warning:
			l.o.Console.Warn("%s", f)
		default:
			l.o.Console.Message("info: %s", f)
		}
	}
}
