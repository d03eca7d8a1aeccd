package diagnose

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const page = "../../../docs/diagnosis.md"

func TestPage(t *testing.T) {
	text := read(t, page)
	var sections, ids []string
	for _, m := range regexp.MustCompile("(?m)^### `([a-z-]+)`").FindAllStringSubmatch(text, -1) {
		sections = append(sections, m[1])
	}
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)+$`)
	for _, r := range Rules() {
		require.Regexp(t, kebab, r.ID)
		require.NotEmpty(t, r.LooksFor)
		require.NotEmpty(t, r.Remedy)
		ids = append(ids, r.ID)
	}
	require.ElementsMatch(t, ids, sections)
	for _, f := range flatScore() { // what the page shows is what comes out
		require.Contains(t, strings.Join(strings.Fields(text), " "), f.Severity.String()+": "+f.String())
	}
}

// What is not in this list belongs to another command than those that train.
var others = []string{"width", "real", "fake"}

// Remedies name only flags that the family has.
func TestFlagsExist(t *testing.T) {
	flags := func(family string) []string {
		var l []string
		files := []string{"train.go", "tigasflags.go", "flags.go", "resume.go"}
		if family == "" {
			files = append(files, "gan.go", "stylegan.go", "vae.go", "diffusion.go", "lrflags.go")
		} else {
			files = append(files, family+".go")
		}
		if family == "vae" || family == "diffusion" {
			files = append(files, "lrflags.go")
		}
		for _, f := range files {
			code := read(t, filepath.Join("../../../cmd/tigas-train", f))
			for _, m := range regexp.MustCompile(`Var\w*\([^"]*"([a-z0-9-]+)"`).FindAllStringSubmatch(code, -1) {
				l = append(l, m[1])
			}
		}
		return append(l, others...)
	}
	named := regexp.MustCompile(`--([a-z][a-z0-9-]*)`)
	// A flag of a remedy has its value after one space; after one without a value comes another flag or the end of a clause.
	value := regexp.MustCompile(`^( --[a-z]| ([0-9.e-]+(step|kimg)?|1,0\.5|auto|wgan-gp|linear|log|recon|both|sum|` +
		`color,translation,cutout|RUN/snapshots/FILE|DIR)([ ,;]|$)|[,;]|$)`)
	check := func(text string, known []string) {
		t.Helper()
		for _, m := range named.FindAllStringSubmatch(text, -1) {
			require.Contains(t, known, m[1], text)
		}
	}
	require.Contains(t, flags("gan"), "clip-grad")
	require.Contains(t, flags("gan"), "resume")
	require.NotContains(t, flags("stylegan"), "clip-grad")
	for _, r := range Rules() {
		check(r.Remedy, flags(""))
	}
	check(strings.ReplaceAll(read(t, page), "---", ""), flags(""))

	// Every remedy that a family can get: all diseases, in one run after the other.
	for _, family := range families {
		known, texts := flags(family), []string{}
		s := healthy(family)
		for _, sick := range []story{
			s.scoring(flat(0.13)), s.with("sample_diversity", bend(0.6, flat(50), flat(5))), s.with("sample_detail", flat(2)),
			s.with("skipped_"+map[string]string{"gan": "G", "stylegan": "D_r1", "vae": "VAE", "diffusion": "net"}[family], flat(1)),
			s.with("G_grad_norm", bend(0.8, flat(1), flat(100))), s.with("D_grad_norm", bend(0.8, flat(1), flat(100))),
			s.with("VAE_grad_norm", bend(0.8, flat(1), flat(100))), s.with("net_grad_norm", bend(0.8, flat(1), flat(100))),
			s.with("tigas_dropped", flat(0.9)), s.with("sec_tigas", flat(1)), s.with("tigas_grad_ratio", flat(5)),
			s.with("tigas_weight", flat(0.1)),
			s.weighted(flat(1)).scoring(flat(0.9)), s.with("sample_score_perturbed", flat(0)), s.with("mse", bend(0.5,
				flat(0.1), flat(1))),
			s.with("G_grad_norm", flat(0)), s.with("D_grad_norm", flat(0)), s.with("VAE_grad_norm", flat(0)),
			s.with("net_grad_norm", flat(0)), s.without("score"), s.with("tigas_weight", line(0, 0.02)),
			s.with("sample_score", flat(0.96)).with("sample_detail", flat(11)).with("tigas_grad_ratio", flat(4)),
			s.with("D", fall(1, 0.01)).with("scores_real", line(1, 9)), s.with("active_units", flat(0)).with("kl", flat(0)),
		} {
			for _, r := range []Run{
				{Objective: "wgan-gp", Weight: 0.1}, {Objective: "bce", Weight: 0.1, AtStart: true, Augmented: true},
				{Objective: "tigas-only", Weight: 1}, {Weight: 0.1, TotalKimg: 100, Gamma: 10},
				{Weight: 0}, {Weight: 1, ClipGrad: 0.001, Every: 16}, {Weight: 0.001, TotalKimg: 100},
			} {
				r.Family = family
				for _, f := range Check(r, sick.log()) {
					check(f.Remedy, known)
					for _, at := range named.FindAllStringIndex(f.Remedy, -1) {
						require.Regexp(t, value, f.Remedy[at[1]:], f.Remedy)
					}
					require.Regexp(t, `^[a-z][a-z ]+`, f.Remedy)
					if r.Objective == "tigas-only" && family == "gan" {
						require.NotRegexp(t, "critic|gp-lambda", f.Remedy)
					}
					texts = append(texts, f.Rule)
				}
			}
		}
		slices.Sort(texts)
		require.Greater(t, len(slices.Compact(texts)), 7, family)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(b)
}
