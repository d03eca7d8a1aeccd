package diagnose

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

var families = []string{"gan", "stylegan", "vae", "diffusion"}

// The stories are healthy, at every moment and with any noise.
func TestHealthyStories(t *testing.T) {
	for _, family := range families {
		for seed := range uint64(20) {
			s := healthy(family)
			s.seed = seed
			if family == "diffusion" {
				s = s.weighted(flat(0.05)).scoring(line(0.13, 0.55))
			}
			entries := s.log()
			for n := range len(entries) + 1 {
				require.Empty(t, Check(s.run(family), entries[:n]), "%s %d %d", family, seed, n)
			}
		}
	}
}

// each is a story with what is expected of it: a severity, or silence.
type each struct {
	name   string
	family string
	story  story
	change func(*Run)
	want   string   // severity; "": the rule is silent
	remedy string   // part of it
	also   []string // other rules that find something, and are right
}

func TestRules(t *testing.T) {
	style, gan, vae, diffusion := healthy("stylegan"), healthy("gan"), healthy("vae"), healthy("diffusion")
	low := style.scoring(bend(0.2, line(0.15, 0.13), line(0.13, 0.135)))
	exploded := func(at, by float64) curve { return bend(at, flat(5), flat(5*by)) }
	never := flat(0)
	wgan := func(r *Run) { r.Objective = "wgan-gp" }
	only := func(r *Run) { r.Objective = "tigas-only" }
	weight := func(w float64) func(*Run) { return func(r *Run) { r.Weight = w } }
	gap := func(perturbed, real float64) story {
		return style.with("sample_score", line(0.1, 0.9)).with("sample_score_perturbed", line(0.1,
			perturbed)).with("data_score_perturbed", flat(real))
	}
	won := func(loss float64) story {
		return style.with("D", fall(1, loss)).with("scores_real", line(1, 9)).with("scores_fake", line(-1, -9))
	}
	for rule, cases := range map[string][]each{
		"score-not-rising": {
			{"flat", "stylegan", low, nil, "warning", "--tigas-weight 0.2", nil},
			{"flat, and the gradient small", "stylegan", low.weighted(flat(0.02)).with("tigas_grad_ratio", flat(0.02)),
				weight(0.02), "warning", "--tigas-weight 0.1", nil},
			{"the weight has just been changed", "stylegan", low, weight(0.02), "", "", nil},
			{"flat, the weight is large already", "stylegan", low.weighted(flat(0.2)), weight(0.2), "warning", "detector check", nil},
			{"flat, the gradient is large already", "stylegan", low.with("tigas_grad_ratio", flat(0.7)), nil,
				"warning", "--tigas-form log", nil},
			{"falling", "gan", gan.scoring(line(0.4, 0.2)), nil, "warning", "--tigas-weight 0.2", nil},
			{"an earlier version's log", "stylegan", low.without("tigas_weight"), nil, "warning", "--tigas-weight 0.2", nil},
			{"high from the start", "stylegan", style.scoring(flat(0.8)), nil, "", "", nil},
			{"rising", "stylegan", style, nil, "", "", nil},
			{"rising slowly", "stylegan", style.scoring(line(0.13, 0.2)), nil, "", "", nil},
			{"risen and fallen", "stylegan", style.scoring(bend(0.5, line(0.13, 0.4), line(0.4, 0.14))), nil, "", "", nil},
			{"in the warm-up", "stylegan", low.toPart(0.19), nil, "", "", nil},
			{"just after the warm-up", "stylegan", low.toPart(0.3), nil, "", "", nil},
			{"no term", "stylegan", low, weight(0), "", "", nil},
			{"no score", "stylegan", low.without("score"), nil, "", "", []string{"term-never-ran"}},
			{"15 kimg with the weight", "stylegan", low.toPart(0.35), nil, "", "", nil},
			{"25 kimg with the weight", "stylegan", low.toPart(0.46), nil, "warning", "--tigas-weight 0.2", nil},
			{"above the usual weight", "gan", low.weighted(flat(0.15)), weight(0.15), "warning", check, nil},
			{"nothing but the term", "gan", low, only, "warning", check, nil},
		},
		"dead-network": {
			{"from the beginning", "gan", gan.with("G_grad_norm", bend(0.03, flat(5), never)), nil, "problem",
				"begin again with --g-lr 0.001", nil},
			{"later, all samples one", "gan", gan.with("G_grad_norm", bend(0.5, flat(5), flat(1e-20))).with("sample_diversity",
				bend(0.5, flat(50), never)).with("sample_detail", bend(0.5, flat(5), never)), nil, "problem",
				"snapshot of kimg 48 or before: --resume RUN/snapshots/FILE --g-lr 0.001", nil},
			{"an absurd rate", "stylegan", style.with("G_grad_norm", never).with("lr_G", flat(3)), nil, "problem",
				"--g-lr 0.002", nil},
			{"absurd rates", "stylegan", style.with("G_grad_norm", never).with("lr_G", flat(3)).with("lr_D", flat(3)), nil, "problem",
				"--g-lr 0.0025", nil},
			{"the critic", "gan", gan.with("D_grad_norm", bend(0.5, flat(5), never)), nil, "problem", "--d-lr 0.001", nil},
			{"vae", "vae", vae.with("VAE_grad_norm", bend(0.5, flat(5), never)), nil, "problem", "--lr 0.0005", nil},
			{"diffusion", "diffusion", diffusion.with("net_grad_norm", bend(0.5, flat(5), never)).with("lr_net", nil), nil,
				"problem", "with a lower --lr", nil},
			{"for three ticks", "gan", gan.with("D_grad_norm", bend(0.95, flat(5), never)), nil, "", "", nil},
			{"revived", "gan", gan.with("D_grad_norm", bend(0.2, never, flat(5))), nil, "", "", nil},
			{"before the term", "gan", gan.with("G_grad_norm", never).with("tigas_weight", never).without("score").toPart(0.15),
				only, "", "", nil},
		},
		"term-never-ran": {
			{"too seldom", "gan", gan.without("score"), func(r *Run) { r.Every = 6000 }, "warning", "--tigas-every 1", nil},
			{"weight 0", "gan", gan.without("score").with("tigas_weight", never), nil, "warning", "--tigas-warmup auto", nil},
			{"weight 0, yet", "gan", gan.without("score").with("tigas_weight", never).toPart(0.4), nil, "info",
				"--tigas-start 0", nil},
			{"early", "gan", gan.without("score").toPart(0.19), nil, "", "", nil},
			{"timesteps", "diffusion", diffusion.without("score"), nil, "warning", "--tigas-max-timestep", nil},
			{"no reason", "vae", vae.without("score"), nil, "warning", "--tigas-start 0", nil},
			{"length not known", "vae", vae.without("score"), func(r *Run) { r.TotalKimg = 0 }, "warning", "--tigas-start 0", nil},
			{"not finite", "vae", vae.without("score").with("tigas_dropped", flat(1)), nil, "", "", []string{"term-dropped"}},
			{"no term", "gan", gan.without("score"), weight(0), "", "", nil},
		},
		"weight-not-reached": {
			{"at the end", "gan", gan.with("tigas_weight", line(0, 0.03)), nil, "warning", "--kimg 420", nil},
			{"early", "gan", gan.with("tigas_weight", line(0, 0.03)).toPart(0.2), nil, "warning", "--tigas-warmup auto;", nil},
			{"nearly", "gan", gan.with("tigas_weight", line(0, 0.07)), nil, "info", "--tigas-warmup auto;", nil},
			{"in epochs", "gan", gan.with("tigas_weight", func(part float64) float64 { return 0.009 * math.Floor(part*5) }), nil,
				"warning", "--tigas-warmup auto;", nil},
			{"just so", "gan", gan.with("tigas_weight", line(0, 0.0999)), nil, "", "", nil},
			{"another weight since", "gan", gan, weight(0.2), "", "", nil},
			{"length not known", "gan", gan.with("tigas_weight", line(0, 0.03)), func(r *Run) { r.TotalKimg = 0 }, "", "", nil},
		},
		"mode-collapse": {
			{"collapsed", "gan", gan.with("sample_diversity", bend(0.6, line(40, 50), line(15, 5))), wgan, "problem",
				"--tigas-weight 0.05", nil},
			{"without critic", "gan", gan.with("sample_diversity", bend(0.6, line(40, 50), flat(5))), only, "problem",
				"--loss wgan-gp", nil},
			{"stylegan", "stylegan", style.with("sample_diversity", bend(0.6, line(40, 50), flat(15))), nil,
				"problem", "--pl-weight 2", nil},
			{"one picture", "gan", gan.with("sample_diversity", flat(0.01)).toPart(0.3), nil, "problem", "begin again with", nil},
			{"untrained", "gan", gan.with("sample_diversity", flat(0.3)).toPart(0.3), nil, "", "", nil},
			{"few samples", "gan", gan.with("sample_diversity", flat(0.01)), func(r *Run) { r.Samples = 9 }, "", "", nil},
			{"an absurd rate", "gan", gan.with("sample_diversity", bend(0.6, flat(50), flat(5))).with("lr_G", flat(10)).with("lr_D",
				flat(10)), wgan, "problem", "--g-lr 0.0005", nil},
			{"shrinking", "stylegan", style.with("sample_diversity", bend(0.6, line(40, 50), flat(27))), nil, "warning", "--aug", nil},
			{"the first one lower", "stylegan", style.with("sample_diversity", bend(0.9, line(40, 50), flat(27))), nil, "", "", nil},
			{"never different", "vae", vae.with("sample_diversity", flat(3)), nil, "warning", "--tigas-on recon", nil},
			{"never different, yet", "vae", vae.with("sample_diversity", flat(3)).toPart(0.4), nil, "", "", nil},
			{"recovered", "gan", gan.with("sample_diversity", bend(0.8, bend(0.5, flat(50), flat(5)), flat(45))), nil, "", "", nil},
			{"wild at first", "stylegan", style.with("sample_diversity", bend(0.3, flat(110), flat(48))), nil, "", "", nil},
			{"data alike", "gan", gan.with("data_diversity", flat(6)).with("sample_diversity", bend(0.3, flat(50),
				flat(5.5))), nil, "", "", nil},
			{"no data", "gan", gan.with("sample_diversity", bend(0.6, line(40, 50),
				flat(5))).without("data_diversity"), nil, "", "", nil},
		},
		"blurry-samples": {
			{"gan", "gan", gan.with("sample_detail", fall(7, 2)), wgan, "warning", "--gp-lambda 5", nil},
			{"stylegan", "stylegan", style.with("sample_detail", fall(7, 2)), nil, "warning", "--gamma", nil},
			{"diffusion", "diffusion", diffusion.with("sample_detail", fall(70, 3)), weight(0.05), "warning", "--sample-steps 100", nil},
			{"no term", "diffusion", diffusion.with("sample_detail", fall(70, 3)), weight(0), "warning", "--kimg 200", nil},
			{"vae", "vae", vae.with("sample_detail", line(2.9, 3.2)), nil, "info", "--beta 0.5", nil},
			{"vae without term", "vae", vae.with("sample_detail", line(2.9, 3.2)), weight(0), "info", "--tigas-weight 0.1", nil},
			{"early", "stylegan", style.with("sample_detail", flat(2)).toPart(0.45), nil, "", "", nil},
			{"without critic", "gan", gan.with("sample_detail", fall(7, 2)), only, "warning", "--kimg 200", nil},
			{"gamma", "stylegan", style.with("sample_detail", fall(7, 2)), func(r *Run) { r.Gamma = 1 }, "warning", "--gamma 0.5", nil},
			{"few samples", "stylegan", style.with("sample_detail", fall(7, 2)), func(r *Run) { r.Samples = 4 }, "", "", nil},
			{"on its way", "stylegan", style.with("sample_detail", line(0.5, 3.5)).toPart(0.7), nil, "", "", nil},
			{"sharp enough", "stylegan", style.with("sample_detail", flat(5)), nil, "", "", nil},
		},
		"bad-gradients": {
			{"exploding", "gan", gan.with("G_grad_norm", exploded(0.8, 60)), nil, "warning", "--clip-grad 10", nil},
			{"exploded", "gan", gan.with("G_grad_norm", exploded(0.8, 1e5)), nil, "problem", "--g-lr 0.001", nil},
			{"the critic", "gan", gan.with("D_grad_norm", exploded(0.8, 60)), nil, "warning", "--d-lr 0.001", nil},
			{"clipped already", "vae", vae.with("VAE_grad_norm", exploded(0.8, 60)), func(r *Run) { r.ClipGrad = 1 },
				"warning", "--lr 0.0005", nil},
			{"stylegan has no clipping", "stylegan", style.with("D_r1_grad_norm", exploded(0.8, 60)), nil, "warning",
				"--d-lr 0.001", nil},
			{"skipped all the time", "stylegan", style.with("skipped_G", flat(1)), nil, "problem", "--g-lr 0.001", nil},
			{"skipped before", "vae", vae.with("skipped_VAE", func(part float64) float64 {
				return max(0,
					math.Copysign(1, 0.1-part))
			}), nil, "info", "left out by themselves", nil},
			{"spike", "gan", gan.with("G_grad_norm", bend(0.99, flat(5), flat(5000))), nil, "", "", nil},
			{"waking up", "gan", gan.with("G_grad_norm", bend(0.15, flat(0.001), flat(20))), nil, "", "", nil},
			{"rising", "gan", gan.with("G_grad_norm", line(1, 20)), nil, "", "", nil},
		},
		"term-dropped": {
			{"always", "vae", vae.with("tigas_dropped", flat(0.9)), nil, "problem", "detector check", nil},
			{"sometimes", "vae", vae.with("tigas_dropped", flat(0.05)), nil, "warning", "detector check", nil},
			{"hardly", "vae", vae.with("tigas_dropped", flat(0.001)), nil, "info", "detector check", nil},
			{"never", "vae", vae.with("tigas_dropped", never), nil, "", "", nil},
		},
		"slow-detector": {
			// 0.3 of 0.54 seconds is 56 %: 4 * 0.56/0.44 = 5.
			{"slow", "gan", gan.with("sec_tigas", flat(0.3)), nil, "info", "--tigas-every 5 ", nil},
			{"slower", "vae", vae.with("sec_tigas", flat(1)), nil, "warning", "--tigas-every 16 ", nil},
			{"rare already", "vae", vae.with("sec_tigas", flat(1)), func(r *Run) { r.Every = 16 }, "warning", "--width 8", nil},
			{"pictures do not count", "gan", gan.with("sec_pictures", flat(0)), nil, "", "", nil},
			{"no times", "gan", gan.without("sec_tigas"), nil, "", "", nil},
		},
		"weight-too-large": {
			{"gradient", "stylegan", style.with("tigas_grad_ratio", flat(2.1)), nil, "warning", "--tigas-weight 0.01", nil},
			{"gradient, far", "gan", gan.weighted(flat(1)).with("tigas_grad_ratio", flat(6)),
				weight(1), "problem", "--tigas-weight 0.05", nil},
			{"far above", "gan", gan.weighted(flat(2)).with("tigas_grad_ratio", flat(0.5)), weight(2), "warning",
				"--tigas-weight 0.1", nil},
			{"far above, but small", "gan", gan.weighted(flat(2)).with("tigas_grad_ratio", flat(0.1)), weight(2), "", "", nil},
			{"very far above", "gan", gan.weighted(flat(50)).with("tigas_grad_ratio", flat(0.5)), weight(50), "problem",
				"--tigas-weight 0.1", nil},
			{"every 10th step", "gan", gan.with("tigas_grad_ratio", flat(6)), func(r *Run) { r.Every = 10 }, "", "", nil},
			{"in the warm-up", "gan", gan.with("tigas_grad_ratio", flat(6)).toPart(0.19), nil, "", "", nil},
			{"lowered since", "gan", gan.with("tigas_grad_ratio", flat(6)), weight(0.05), "", "", nil},
			{"a spike", "gan", gan.with("tigas_grad_ratio", bend(0.95, flat(0.1), flat(9))), nil, "", "", nil},
			{"nothing beside it", "gan", gan.with("tigas_grad_ratio", flat(6)), only, "", "", nil},
			{"vae", "vae", vae.weighted(flat(1)).scoring(bend(0.1, line(0.1, 0.9), flat(0.96))), weight(1), "warning",
				"--tigas-weight 0.1", nil},
			{"diffusion", "diffusion", diffusion.weighted(flat(5)).scoring(flat(0.97)), weight(5), "problem", "--tigas-weight 0.", nil},
			{"vae, by gradient", "vae", vae.scoring(flat(0.96)).with("tigas_grad_ratio", flat(2)), nil, "warning", "--tigas-weight 0.", nil},
			{"diffusion, by gradient", "diffusion", diffusion.scoring(flat(0.97)).with("tigas_grad_ratio", flat(0.5)), weight(5), "", "", nil},
			{"usual", "vae", vae.scoring(flat(0.3)), nil, "", "", []string{"score-not-rising"}},
			{"no term", "vae", vae.weighted(flat(1)).scoring(flat(0.96)), weight(0), "", "", nil},
		},
		"no-warmup": {
			{"now", "stylegan", style.with("tigas_weight", flat(0.1)).toPart(0.1), func(r *Run) { r.AtStart = true },
				"warning", "--tigas-warmup auto", nil},
			{"long ago", "gan", gan.with("tigas_weight", flat(0.1)), func(r *Run) { r.AtStart = true }, "info",
				"--tigas-warmup auto", nil},
			{"a small weight", "gan", gan.with("tigas_weight", flat(0.01)), func(r *Run) {
				r.AtStart, r.Weight = true,
					0.01
			}, "", "", nil},
			{"without critic", "gan", gan.with("tigas_weight", flat(0.1)), func(r *Run) {
				r.AtStart,
					r.Objective = true, "tigas-only"
			}, "", "", nil},
			{"vae", "vae", vae.with("tigas_weight", flat(0.1)), func(r *Run) { r.AtStart = true }, "", "", nil},
		},
		"detector-fooled": {
			{"pattern", "stylegan", gap(0.2, 0.9), nil, "problem", "--tigas-augment --tigas-weight 0.05", nil},
			{"a little", "stylegan", gap(0.6, 0.9), nil, "warning", "--tigas-augment", nil},
			{"changed already", "stylegan", gap(0.2, 0.9), func(r *Run) { r.Augmented = true }, "problem", "--tigas-scales 1,0.5", nil},
			{"more real than real", "gan", gan.with("sample_score", line(0.1, 0.95)).with("sample_score_perturbed",
				line(0.1, 0.9)).with("data_score", flat(0.6)).
				with("data_score_perturbed", flat(0.55)), nil, "problem", "--tigas-augment", nil},
			{"the detector sees a blur", "stylegan", gap(0.2, 0.2), nil, "", "", nil},
			{"as real, and the term rules", "stylegan", gap(0.2, 0.2).with("sample_score", line(0.1, 0.95)).with("tigas_grad_ratio",
				flat(2)), nil, "warning", "begin again, or go back", []string{"weight-too-large"}},
			{"as real", "stylegan", gap(0.2, 0.2).with("sample_score", line(0.1, 0.95)), nil, "", "", nil},
			{"noise", "stylegan", gap(0.2, 0.2).with("sample_detail", flat(10)), nil, "warning", "--tigas-augment", nil},
			{"noise, yet", "stylegan", gap(0.2, 0.2).with("sample_detail", flat(10)).toPart(0.45), nil, "", "", nil},
			{"noise with a low score", "stylegan", style.with("sample_detail", flat(10)), nil, "", "", nil},
			{"without critic", "gan", gap(0.2, 0.9), only, "problem", "--loss wgan-gp --tigas-weight 0.1", nil},
			{"few samples", "stylegan", gap(0.2, 0.9), func(r *Run) { r.Samples = 15 }, "", "", nil},
			{"robust", "stylegan", gap(0.85, 0.9), nil, "", "", nil},
			{"no term", "stylegan", gap(0.2, 0.9), weight(0), "", "", nil},
		},
		"critic-won": {
			{"won", "stylegan", won(0.005), nil, "problem", "--gamma", nil},
			{"gamma", "stylegan", won(0.005), func(r *Run) { r.Gamma = 0.8 }, "problem", "--gamma 1.6;", nil},
			{"winning", "gan", won(0.1), nil, "warning", "--d-lr 0.001", nil},
			{"ahead", "gan", won(0.4), nil, "", "", nil},
			{"wasserstein", "gan", won(0.005), wgan, "", "", nil},
		},
		"posterior-collapse": {
			{"collapsed", "vae", vae.with("active_units", fall(60, 0)).with("kl", fall(10, 0.001)), nil, "problem",
				"--free-bits 0.25", nil},
			{"batch of one", "vae", vae.with("active_units", never), nil, "", "", nil},
			{"few units", "vae", vae.with("active_units", flat(2)).with("kl", flat(3)), nil, "", "", nil},
		},
		"loss-diverging": {
			{"rising", "vae", vae.with("mse", bend(0.5, fall(0.2, 0.02), line(0.02, 0.07))).with("kl", flat(20)), nil, "warning",
				"--resume RUN/snapshots/FILE --lr 0.0005", nil},
			{"risen", "diffusion", diffusion.with("mse", bend(0.5, fall(0.2, 0.02), flat(0.9))), nil, "problem", "--lr 0.001", nil},
			{"the posterior did", "vae", vae.with("active_units", fall(60, 0)).with("kl", fall(10, 0.001)).with("mse",
				bend(0.5, flat(0.05), flat(0.2))), nil, "", "",
				[]string{"posterior-collapse"}},
			{"traded for the divergence", "vae", vae.with("mse", bend(0.2, fall(0.2, 0.008), line(0.008, 0.018))).with("kl",
				bend(0.2, fall(80, 60), line(60, 20))), nil, "", "", nil},
			{"flat", "diffusion", diffusion.with("mse", flat(0.2)), nil, "", "", nil},
		},
	} {
		for _, c := range cases {
			t.Run(rule+"/"+c.name, func(t *testing.T) {
				r := c.story.run(c.family)
				if c.change != nil {
					c.change(&r)
				}
				found := false
				for _, f := range Check(r, c.story.log()) {
					if f.Rule != rule {
						require.Contains(t, c.also, f.Rule, "%v: %s", f.Severity, f)
						continue
					}
					found = true
					require.Equal(t, c.want, f.Severity.String(), f.String())
					require.Contains(t, f.Remedy, c.remedy, f.String())
				}
				require.Equal(t, c.want != "", found)
			})
		}
	}
}

// A run that diverges goes back to a snapshot, and the log with it. What was trained again does not count, but that is why.
func TestReturnToSnapshot(t *testing.T) {
	s := healthy("vae")
	first, again := s.log(), s.log()[30:]
	for i := 35; i < 38; i++ {
		first[i].Values = append(first[i].Values, monitor.Value{Name: "skipped_VAE", Value: 1})
		for j, v := range first[i].Values {
			if v.Name == "mse" || v.Name == "total" {
				first[i].Values[j].Value = math.NaN()
			}
		}
	}
	for i := range again { // the run goes on with half of the rate
		for j, v := range again[i].Values {
			if v.Name == "lr_VAE" {
				again[i].Values[j].Value = v.Value / 2
			}
		}
	}
	entries := append(first[:38:38], again[:5]...)
	found := Check(s.run("vae"), entries)
	require.Len(t, found, 1)
	require.Equal(t, "bad-gradients", found[0].Rule)
	require.Equal(t, Problem, found[0].Severity)
	require.Contains(t, found[0].Evidence, "1 return to an earlier snapshot, the last one to kimg 60")
	require.Contains(t, found[0].Remedy, "--lr 0.0002") // a quarter: the run has half of it already

	entries = append(first[:38:38], again...)
	found = Check(s.run("vae"), entries)
	require.Len(t, found, 1)
	require.Equal(t, Warning, found[0].Severity, "long ago")

	// A score that was bad and is trained again, well.
	low := healthy("gan").scoring(bend(0.2, line(0.15, 0.13), line(0.13, 0.135))).log()
	require.Len(t, Check(healthy("gan").run("gan"), low), 1)
	require.Empty(t, Check(healthy("gan").run("gan"), append(low, healthy("gan").log()[10:]...)))
}
