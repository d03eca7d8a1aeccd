package diagnose

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// The logs are those of the demo runs (docs/families.md), with what metric.Diversity and the like say of their sample
// pictures. They went well.
func TestDemoRuns(t *testing.T) {
	for _, r := range []Run{
		{Family: "gan", Objective: "wgan-gp", Weight: 0.1, TotalKimg: 100},
		{Family: "gan", Objective: "wgan-gp", Weight: 0.1, TotalKimg: 100, Samples: 64},
		{Family: "stylegan", Weight: 0.1, TotalKimg: 30},
		{Family: "vae", Weight: 0.1, TotalKimg: 100},
		{Family: "diffusion", Weight: 0.05, ClipGrad: 1, TotalKimg: 60},
	} {
		name := r.Family
		if r.Samples > 0 {
			name += "-demo" // with all values of this version, but for the times
		}
		entries := readLog(t, name)
		require.Greater(t, len(entries), 48)
		for _, kimg := range []float64{r.TotalKimg, 0} {
			r.TotalKimg = kimg
			for n := range len(entries) + 1 {
				require.Empty(t, Check(r, entries[:n]), "%s, %d entries", r.Family, n)
			}
		}
	}
}

func readLog(t testing.TB, name string) []monitor.LogEntry {
	t.Helper()
	entries, err := monitor.ReadLog("testdata/" + name + ".jsonl")
	require.NoError(t, err)
	return entries
}

// The same settings with another length: nothing in so short a run is as it will be.
func TestShortDemoRun(t *testing.T) {
	entries := readLog(t, "gan-demo")
	for i, e := range entries {
		if e.Kimg > 30 {
			entries = entries[:i]
			break
		}
	}
	for i := range entries { // its warm-up ends at kimg 1.6
		for j, v := range entries[i].Values {
			if v.Name == "tigas_weight" {
				entries[i].Values[j].Value = min(0.1, entries[i].Kimg/16)
			}
		}
	}
	for n, e := range entries {
		if e.Kimg > 8 {
			require.Empty(t, Check(Run{Family: "gan", Objective: "wgan-gp", Weight: 0.1, TotalKimg: e.Kimg}, entries[:n+1]))
		}
	}
}

// gan --g-lr 10: the first step was the last one.
func TestDeadGenerator(t *testing.T) {
	entries := readLog(t, "dead")
	r := Run{Family: "gan", Objective: "wgan-gp", Weight: 0.1, TotalKimg: 6}
	for n := range entries {
		found := Check(r, entries[:n+1])
		if entries[n].Kimg < 0.95 {
			require.Empty(t, found)
			continue
		}
		require.Len(t, found, 1)
		f := found[0]
		require.Equal(t, []any{"dead-network", Problem, 0.32}, []any{f.Rule, f.Severity, f.Kimg})
		require.Contains(t, f.Evidence, "G_grad_norm) is 0 in all")
		require.Contains(t, f.Evidence, "rate of 10, where 0.0001 to 0.002 is usual; diversity of the samples 0 at")
		require.Equal(t, "no lower rate revives it: begin again with --g-lr 0.002", f.Remedy) // that of the critic
	}
}

// gan --tigas-weight 6: striped noise that scores as real pictures do.
func TestNoise(t *testing.T) {
	entries := readLog(t, "noise")
	r := Run{Family: "gan", Objective: "wgan-gp", Weight: 6, TotalKimg: 12}
	found := Check(r, entries)
	require.Len(t, found, 2)
	require.Equal(t, []string{"detector-fooled", "weight-too-large"}, []string{found[0].Rule, found[1].Rule})
	for _, f := range found {
		require.Equal(t, Problem, f.Severity)
		require.True(t, strings.HasSuffix(f.Remedy, "--tigas-weight 0.1"), f.Remedy)
	}
	require.Contains(t, found[0].Evidence, "samples score 0.968 and real pictures 0.967")
	require.Contains(t, found[0].Evidence, "1.41 times the fine detail")
	r.Samples = 9
	found = Check(r, entries)
	require.Len(t, found, 1, "nine pictures are too few")
	require.Equal(t, "weight-too-large", found[0].Rule)
}

// A remedy that was followed is not given again, and of two weights the larger one has no better verdict.
func TestFollowed(t *testing.T) {
	s := healthy("gan").with("sample_diversity", bend(0.6, line(40, 50), flat(5)))
	advice := func(s story) string {
		found := Check(s.run("gan"), s.log())
		require.Len(t, found, 1)
		require.Equal(t, "mode-collapse", found[0].Rule)
		require.InDelta(t, 60, found[0].Kimg, 6, "since when")
		return found[0].Remedy
	}
	require.Contains(t, advice(s), "--resume RUN/snapshots/FILE --tigas-weight 0.05 --g-lr 0.001;")
	require.Contains(t, advice(s.with("lr_G", bend(0.9, flat(0.002), flat(0.001)))), "--g-lr 0.0005;")

	last := Info
	for _, w := range []float64{0.1, 0.2, 1, 6, 50, 500} {
		s := healthy("gan").weighted(flat(w)).with("tigas_grad_ratio", flat(1.5)).scoring(flat(0.13))
		r := s.run("gan")
		r.Weight = w
		found := Check(r, s.log())
		require.Len(t, found, 1, "nothing asks for more weight: %v", found)
		require.Equal(t, "weight-too-large", found[0].Rule)
		require.GreaterOrEqual(t, found[0].Severity, last, w)
		last = found[0].Severity
		if w > 0.1 {
			require.NotContains(t, found[0].Remedy, "--tigas-weight "+flag(w))
			require.Regexp(t, `--tigas-weight 0\.(04|1)$`, found[0].Remedy)
		}
	}
	require.Equal(t, Problem, last)
}

// A finding stands where the disease is and not where all was well.
func TestKimg(t *testing.T) {
	require.InDelta(t, 100, flatScore()[0].Kimg, 1)
	s := healthy("diffusion").with("mse", bend(0.5, fall(0.2, 0.02), line(0.02, 0.1)))
	found := Check(s.run("diffusion"), s.log())
	require.Len(t, found, 1)
	require.Equal(t, "loss-diverging", found[0].Rule)
	require.InDelta(t, 62.5, found[0].Kimg, 6, "since it is twice the best")
}

// The rate of a flag is not that of a moment when it has a schedule.
func TestRate(t *testing.T) {
	cosine := func(part float64) float64 { return 0.001 * (1 + math.Cos(math.Pi*part)) / 2 }
	warm := func(part float64) float64 { return min(1, part/0.1) * cosine(part) }
	half := func(part float64) float64 {
		if part > 0.6 {
			return warm(part) / 2
		}
		return warm(part)
	}
	for _, ticks := range []int{12, 50, 200} {
		for _, c := range []struct {
			of   curve
			want float64
		}{{warm, 0.001}, {line(0.001, 0), 0.001}, {half, 0.0005}, {flat(0.002), 0.002}, {bend(0.5, flat(0.002), flat(0.004)), 0.004}} {
			s := healthy("vae").with("lr_VAE", c.of)
			s.ticks = ticks
			require.InEpsilon(t, c.want, newView(s.run("vae"), s.log()).rate("VAE"), 0.2, ticks)
		}
	}
	v := newView(Run{Family: "stylegan"}, nil)
	require.Empty(t, v.slower("G"))
	require.Equal(t, "lower the learning rate, which is --g-lr", v.lowerRate("G"))
}

// readable fails for findings that are not what they should be.
func readable(t testing.TB, found []Finding) {
	t.Helper()
	var seen []string
	for i, f := range found {
		require.NotContains(t, seen, f.Rule)
		seen = append(seen, f.Rule)
		at := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == f.Rule })
		require.GreaterOrEqual(t, at, 0)
		require.LessOrEqual(t, f.Severity, rules[at].Severity)
		if i > 0 {
			require.GreaterOrEqual(t, found[i-1].Severity, f.Severity)
			if found[i-1].Severity == f.Severity {
				require.Less(t, slices.IndexFunc(rules, func(r Rule) bool { return r.ID == found[i-1].Rule }), at)
			}
		}
		require.True(t, finite(f.Kimg))
		for _, text := range []string{f.Title, f.Evidence, f.Remedy} {
			require.NotEmpty(t, strings.TrimSpace(text))
			require.Less(t, len(text), 600, text)
			require.False(t, strings.ContainsFunc(text, unicode.IsControl), "%q", text)
		}
	}
}

func TestManyDiseases(t *testing.T) {
	s := healthy("stylegan").scoring(flat(0.13)).with("sample_detail", fall(7, 2)).with("sample_diversity", bend(0.5,
		flat(50), flat(5))).
		with("skipped_D", flat(1)).with("sec_tigas", flat(2)).with("tigas_weight", flat(0.1))
	r := s.run("stylegan")
	r.AtStart = true
	entries := s.log()
	found := Check(r, entries)
	readable(t, found)
	var got []string
	for _, f := range found {
		got = append(got, f.Severity.String()+" "+f.Rule)
	}
	require.Equal(t, []string{"problem bad-gradients", "problem mode-collapse", "warning score-not-rising",
		"warning blurry-samples",
		"warning slow-detector", "info no-warmup"}, got)
	require.Equal(t, found, Check(r, entries), "the same again")
	require.Equal(t, s.log(), entries, "nothing was changed")
}

func TestLittleToRead(t *testing.T) {
	nan := healthy("vae").log()
	for i := range nan {
		nan[i].Kimg = math.NaN()
		for j := range nan[i].Values {
			nan[i].Values[j].Value = math.NaN()
		}
	}
	for _, family := range append(families, "", "another") {
		s := healthy("gan")
		for _, r := range []Run{{}, {Family: family}, s.run(family), {Family: family, Weight: math.NaN(),
			ClipGrad: math.Inf(1), TotalKimg: -1, Every: -3}} {
			require.Empty(t, Check(r, nil))
			require.Empty(t, Check(r, make([]monitor.LogEntry, 1)))
			require.Empty(t, Check(r, make([]monitor.LogEntry, 100)))
			require.Empty(t, Check(r, s.log()[:1]))
			require.Empty(t, Check(r, s.log()[1:2]))
			found := Check(r, nan)
			readable(t, found)
			require.Len(t, found, 1)
			require.Equal(t, "bad-gradients", found[0].Rule)
			require.Equal(t, Problem, found[0].Severity)
		}
	}
	hostile := []monitor.LogEntry{{Tick: monitor.Tick{Step: 1,
		Values: []monitor.Value{{Name: "skipped_\x1b[31m\n" + strings.Repeat("x\xff", 1<<12), Value: 1}}}}}
	found := Check(Run{Family: "gan"}, hostile)
	require.Len(t, found, 1)
	readable(t, found)
}

// Logs that nobody would write are no reason to panic.
func TestRandomLogs(t *testing.T) {
	names := []string{"skipped_G", "skipped_D_r1", "tigas_dropped", "G_grad_norm", "VAE_grad_norm", "lr_G", "lr_VAE",
		"active_units", "kl", "mse", "tigas_grad_ratio"}
	for _, f := range families {
		s := healthy(f)
		for name := range s.tick {
			names = append(names, name)
		}
		for name := range s.sample {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	extremes := []float64{0, -1, 1, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, 1e-300, 0.5}
	r := rand.New(rand.NewPCG(3, 4))
	value := func() float64 {
		if r.IntN(3) > 0 {
			return math.Exp(4 * r.NormFloat64())
		}
		return extremes[r.IntN(len(extremes))]
	}
	fired := map[string]int{}
	for range 2000 {
		run := Run{Family: append(families, "")[r.IntN(5)], Objective: []string{"", "bce", "wgan-gp",
			"tigas-only"}[r.IntN(4)], Weight: value(), AtStart: r.IntN(2) == 0,
			Every: r.IntN(40) - 2, Augmented: r.IntN(2) == 0, ClipGrad: value(), TotalKimg: value()}
		entries := make([]monitor.LogEntry, r.IntN(80))
		tame := r.IntN(2) == 0 // steps rise and each entry has every name
		for i := range entries {
			e := &entries[i]
			e.Step, e.Kimg = int64(i), float64(i)
			if !tame {
				e.Step, e.Kimg = r.Int64N(100)-3, value()
			}
			for _, name := range names {
				if tame || r.IntN(2) == 0 {
					v := value()
					if name == "D" || name == "kl" || name == "active_units" {
						v = math.Abs(v) / 1000 // or these would hardly ever be near 0 for several ticks
					}
					e.Values = append(e.Values, monitor.Value{Name: name, Value: v})
				}
			}
			if !tame {
				r.Shuffle(len(e.Values), func(i, j int) { e.Values[i], e.Values[j] = e.Values[j], e.Values[i] })
			}
		}
		found := Check(run, entries)
		readable(t, found)
		for _, f := range found {
			fired[f.Rule]++
		}
	}
	require.Greater(t, len(fired), 8, "they get past the first conditions")
}

func TestSeverity(t *testing.T) {
	require.Equal(t, "info warning problem severity 7", fmt.Sprint(Info, Warning, Problem, Severity(7)))
}

func TestRulesAreCopied(t *testing.T) {
	l := Rules()
	l[0] = Rule{}
	require.NotEmpty(t, Rules()[0].ID)
}

// flatScore is a run whose score stays where it is.
func flatScore() []Finding {
	s := healthy("stylegan").scoring(bend(0.2, line(0.15, 0.13), line(0.13, 0.135)))
	return Check(s.run("stylegan"), s.log())
}

func ExampleCheck() {
	for _, f := range flatScore() {
		fmt.Printf("%s %s: %s\n", f.Severity, f.Rule, f.Remedy)
	}
	// Output:
	// warning score-not-rising: raise the weight: --tigas-weight 0.2
}

func BenchmarkCheck(b *testing.B) {
	s := healthy("stylegan").with("D_r1_grad_norm", flat(2)).with("G_path_grad_norm", flat(1)).with("r1", flat(0.1)).
		with("path_loss", flat(0.1))
	s.ticks, s.samples = 500, 20
	r, entries := s.run("stylegan"), s.log()
	b.ReportAllocs()
	for b.Loop() {
		Check(r, entries)
	}
	b.ReportMetric(float64(len(entries[1].Values)), "values/entry")
}
