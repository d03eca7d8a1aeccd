package diagnose

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// curve is a value over the run, from 0 to 1.
type curve func(part float64) float64

// story is a log that is made up: the values of its ticks and of its samples, each with noise.
type story struct {
	kimg    float64
	ticks   int
	samples int
	until   float64 // share of the run that is written; 0: all
	noise   float64 // of a value of a tick, relative
	seed    uint64
	tick    map[string]curve
	sample  map[string]curve
}

const (
	storyWeight = 0.1
	storyWarmup = 0.2
)

func flat(v float64) curve { return func(float64) float64 { return v } }

// line goes from one value to another.
func line(from, to float64) curve { return func(part float64) float64 { return from + (to-from)*part } }

// fall goes from one value to another, most of it at first.
func fall(from, to float64) curve {
	return func(part float64) float64 { return to + (from-to)*math.Exp(-6*part) }
}

// bend is one curve before a part of the run and another one, from its own beginning, after it.
func bend(at float64, before, after curve) curve {
	return func(part float64) float64 {
		if part < at {
			return before(part / at)
		}
		return after((part - at) / (1 - at))
	}
}

// healthy is a run without a disease, with the levels of the demo runs in testdata.
func healthy(family string) story {
	s := story{kimg: 100, ticks: 50, samples: 8, noise: 0.06, seed: 7}
	s.sample = map[string]curve{
		"sample_diversity": line(38, 52), "data_diversity": flat(54.5), "sample_detail": fall(14, 5.8), "data_detail": flat(7.5),
		"sample_score": line(0.12, 0.6), "sample_score_perturbed": line(0.12, 0.5), "data_score": flat(0.96),
		"data_score_perturbed": flat(0.9),
	}
	s.tick = map[string]curve{
		"sec_data": flat(0.01), "sec_tigas": flat(0.05), "sec_optimizer": flat(0.02), "sec_other": flat(0.01),
		"sec_pictures": flat(0.4),
	}
	switch family {
	case "gan", "stylegan":
		maps.Copy(s.tick, map[string]curve{
			"D": fall(0.6, 1), "G": fall(2.2, 1.2), "scores_real": fall(1.4, 0.5), "scores_fake": fall(-1.6, -0.5),
			"G_grad_norm": fall(7, 4.5),
			"D_grad_norm": fall(2, 1.2), "lr_G": flat(0.002), "lr_D": flat(0.002), "sec_D": flat(0.1), "sec_G": flat(0.1),
			"tigas_grad_ratio": flat(0.05),
		})
	case "vae":
		maps.Copy(s.tick, map[string]curve{"mse": fall(0.25, 0.015), "recon": fall(870, 46), "kl": fall(80, 21),
			"active_units":  line(64, 56),
			"VAE_grad_norm": fall(0.4, 0.07), "lr_VAE": line(0.001, 0), "sec_net": flat(0.15)})
	case "diffusion":
		maps.Copy(s.tick, map[string]curve{"mse": fall(0.2, 0.019), "net_grad_norm": fall(0.2, 0.06),
			"lr_net": flat(0.002), "sec_net": flat(0.15)})
	}
	return s.weighted(flat(storyWeight)).scoring(line(0.13, 0.55))
}

// weighted lets the term have a weight after a warm-up.
func (s story) weighted(w curve) story {
	return s.with("tigas_weight", func(part float64) float64 { return w(part) * min(1, part/storyWarmup) })
}

// scoring sets the score, and what follows from it.
func (s story) scoring(score curve) story {
	w, rest := s.tick["tigas_weight"], s.tick["G"]
	if rest == nil {
		rest = s.tick["mse"]
	}
	loss := func(part float64) float64 { return w(part) * (1 - score(part)) }
	s = s.with("score", score).with("tigas", func(part float64) float64 { return 1 - score(part) }).with("tigas_loss", loss)
	return s.with("total", func(part float64) float64 { return rest(part) + loss(part) })
}

// with is the story with another curve, of samples where the name is theirs; nil: none.
func (s story) with(name string, c curve) story {
	s.tick, s.sample = maps.Clone(s.tick), maps.Clone(s.sample)
	m := s.tick
	if strings.HasPrefix(name, "sample_") || strings.HasPrefix(name, "data_") {
		m = s.sample
	}
	if m[name] = c; c == nil {
		delete(m, name)
	}
	return s
}

// without is the story without some names.
func (s story) without(names ...string) story {
	for _, n := range names {
		s = s.with(n, nil)
	}
	return s
}

// toPart is the beginning of the story.
func (s story) toPart(part float64) story {
	s.until = part
	return s
}

// log is the story as [monitor.ReadLog] returns it: a line of samples before training, and ticks, some with samples. The
// first tick has no term, whose weight is 0 then.
func (s story) log() (entries []monitor.LogEntry) {
	r := rand.New(rand.NewPCG(s.seed, 1))
	until := s.until
	if until == 0 {
		until = 1
	}
	add := func(e *monitor.LogEntry, m map[string]curve, noise float64) {
		part, of := e.Kimg/s.kimg, map[string]float64{}
		for _, name := range slices.Sorted(maps.Keys(m)) {
			by := 1 + noise*r.NormFloat64()
			if name == "tigas_loss" { // it is tigas times the weight
				by = of["tigas"]
			}
			of[name] = by
			v := m[name](part)
			if name != "tigas_weight" && !strings.HasPrefix(name, "lr_") {
				v *= by
			}
			if name == "tigas_loss" && v == 0 {
				continue
			}
			e.Values = append(e.Values, monitor.Value{Name: name, Value: v})
		}
	}
	for i := range s.ticks + 1 {
		part := float64(i) / float64(s.ticks)
		if part > until {
			break
		}
		var e monitor.LogEntry
		e.N, e.Step, e.Kimg = i, int64(i*100), part*s.kimg
		if i > 0 {
			add(&e, s.tick, s.noise)
		}
		if i%max(1, s.ticks/s.samples) == 0 {
			add(&e, s.sample, 0.01)
		}
		entries = append(entries, e)
	}
	return entries
}

// run is what the story is a log of.
func (s story) run(family string) Run {
	r := Run{Family: family, Weight: storyWeight, Every: 1, TotalKimg: s.kimg}
	switch family {
	case "gan":
		r.Objective = "nonsaturating"
	case "diffusion":
		r.Weight = 0.05
	}
	return r
}
