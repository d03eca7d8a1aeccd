package report

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// began is when the made-up runs began.
var began = time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC)

// madeUp is a run with all values that a log can have, of ticks entries and nine times samples.
func madeUp(name string, ticks int, seed uint64) Run {
	r := rand.New(rand.NewPCG(seed, 1))
	run := Run{
		Name: name, Dir: "runs/" + name, Family: "stylegan", Total: 100, Complete: true,
		Command: "tigas-train stylegan --data demo --kimg 100 --tigas-weight " + strconv.FormatFloat(0.1*float64(seed), 'g', 3, 64),
		Settings: []Setting{{"data", "demo", "flag"}, {"kimg", "100", "flag"}, {"batch", "8", "default"},
			{"tigas-weight", strconv.FormatFloat(0.1*float64(seed), 'g', 3, 64), "flag"}, {"tigas-warmup", "20kimg", "demo"},
			{"resolution", "32", "demo"}, {"seed", "0", "default"}, {"model", "", "default"}, {"r1", "2.5", "default"}},
		Facts: []Setting{{Name: "libtorch", Value: "2.6.0"}, {Name: "device", Value: "cpu, 2 threads"},
			{Name: "data set", Value: "demo: 10,000 pictures of 32x32"}, {Name: "detector", Value: "demo, AUC 0.98"}},
	}
	add := func(e *monitor.LogEntry, name string, v float64) {
		e.Values = append(e.Values, monitor.Value{Name: name, Value: v})
	}
	for i := range ticks + 1 {
		part := float64(i) / float64(ticks)
		noise := func(s float64) float64 { return 1 + s*r.NormFloat64() }
		e := monitor.LogEntry{Time: began.Add(time.Duration(part * 3600 * float64(time.Second)))}
		e.N, e.Step, e.Kimg, e.Epoch = i, int64(part*12500), 100*part, 10*part
		e.Elapsed = time.Duration(part * 3600 * float64(time.Second))
		if i%max(1, ticks/8) == 0 {
			s := 0.1 + 0.5*part*part/float64(seed)
			add(&e, "sample_score", s)
			add(&e, "sample_score_perturbed", s*0.7)
			add(&e, "data_score", 0.93)
			add(&e, "data_score_perturbed", 0.81)
			add(&e, "sample_diversity", 20+25*part)
			add(&e, "data_diversity", 52)
			add(&e, "sample_detail", 9-3*part)
			add(&e, "data_detail", 7.4)
		}
		if i > 0 {
			e.Rate = 28 * noise(0.08)
			g := 1.2 * noise(0.15)
			if i == ticks/2 {
				g = math.NaN()
			}
			add(&e, "G", g)
			add(&e, "D", 1.05*noise(0.05))
			add(&e, "r1", 0.02+0.2*part*noise(0.2))
			add(&e, "path_loss", 2*math.Exp(-8*part)*noise(0.2))
			add(&e, "path_length", 0.2*part)
			add(&e, "total", 1.3*noise(0.1))
			add(&e, "scores_real", 0.6*noise(0.2))
			add(&e, "scores_fake", -0.55*noise(0.2))
			add(&e, "G_grad_norm", 5*noise(0.3))
			add(&e, "D_grad_norm", 1.2*noise(0.2))
			add(&e, "D_r1_grad_norm", 1.9*noise(0.3))
			add(&e, "lr_G", 0.008)
			add(&e, "lr_D", 0.0094)
			add(&e, "sec_data", 0.002*noise(0.3))
			add(&e, "sec_D", 0.11*noise(0.05))
			add(&e, "sec_G", 0.13*noise(0.05))
			add(&e, "sec_tigas", 0.05*noise(0.1))
			add(&e, "sec_optimizer", 0.012*noise(0.1))
			add(&e, "sec_other", 0.006)
			if i%max(1, ticks/8) == 0 {
				add(&e, "sec_pictures", 0.03)
				add(&e, "sec_snapshot", 0.02)
			}
		}
		if part > 0.1 {
			s := 0.1 + 0.45*part*part/float64(seed)*noise(0.05)
			add(&e, "tigas", 1-s)
			add(&e, "tigas_loss", 0.1*(1-s))
			add(&e, "tigas_weight", 0.1*min(1, 5*(part-0.1)))
			add(&e, "tigas_grad_ratio", 0.08*noise(0.3))
			add(&e, "score", s)
		}
		if i == ticks*3/5 {
			add(&e, "skipped_G", 1)
		}
		run.Entries = append(run.Entries, e)
		run.Updated = e.Time
	}
	for i := range 9 {
		kimg := 12.5 * float64(i)
		run.Pictures = append(run.Pictures, Picture{"fakes", kimg, drawn(i, int(seed))}, Picture{"scores", kimg, drawn(i, 7)})
	}
	run.Pictures = append(run.Pictures, Picture{"reals", 0, drawn(20, 3)})
	return run
}

// many are runs of which the names do not fit, two of one name, and one that goes on.
func many(n int) []Run {
	var runs []Run
	for i := range n {
		r := madeUp(fmt.Sprintf("%05d-stylegan-weight-%d", i, i+1), 60, uint64(i+1))
		r.Pictures = slices.DeleteFunc(r.Pictures, func(p Picture) bool { return p.Kind != "fakes" || p.Kimg < 80 })
		runs = append(runs, r)
	}
	runs[1].Name, runs[1].Dir, runs[2].Dir = runs[2].Name, "runs/new/"+runs[2].Name, "runs/old/"+runs[2].Name
	runs[3].Name = strings.Repeat("a-very-long-name-", 6) + "\u00e9"
	runs[n-1].Complete, runs[n-1].Running, runs[n-1].Entries = false, new(true), runs[n-1].Entries[:40]
	runs[0].Findings = found()
	return runs
}

// found are findings of each severity.
func found() []Finding {
	return []Finding{
		{"slow-data", "info", "The network waits for pictures", "1 % of a step is spent waiting for pictures.", "", 0},
		{"score-gaming", "problem", "The score rises by a trick of the detector",
			"sample_score rose from 0.10 to 0.60, but after a small blur it is 0.12 (real pictures: 0.93, 0.81 after the blur).",
			"Lower --tigas-weight, or begin later with --tigas-start: try --tigas-form log, or --loss wgan-gp and --tigas-weight 0.1; " +
				"and with tigas-train detector check whether the detector has a slope.", 62.5},
		{"gradient-skipped", "warning", "Updates were left out", "skipped_G in 1 of 200 ticks, the first at 60 kimg.",
			"Lower the learning rate of G if it happens again (--resume RUN/snapshots/FILE), or tigas-train detector train --width 8.", 60},
	}
}

// drawn is a grid of pictures that differ from time to time.
func drawn(i, seed int) func() ([]byte, error) {
	return func() ([]byte, error) {
		img := image.NewRGBA(image.Rect(0, 0, 136, 136))
		for y := range 136 {
			for x := range 136 {
				img.Set(x, y, color.RGBA{uint8(x/17*30 + i*8), uint8(y / 17 * 30), uint8(100 + seed*20), 255})
			}
		}
		var b bytes.Buffer
		err := png.Encode(&b, img)
		return b.Bytes(), err
	}
}
