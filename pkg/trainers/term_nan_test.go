package trainers

import (
	"crypto/sha256"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/sched"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// undefinedDetector passes its test at 16 x 16, and is undefined at 32 x 32: there its scores s become an expression.
func undefinedDetector(t *testing.T, root *torch.Scope, expr string) *tigas.Detector {
	t.Helper()
	path := filepath.Join(t.TempDir(), "detector.pt")
	require.NoError(t, torch.Scoped(func(s *torch.Scope) error {
		m, err := jit.Define(s, nil, nil, `
def forward(self, x: Tensor) -> Tensor:
    s = torch.sigmoid(x.mean([1, 2, 3]))
    if x.size(2) == 32:
        s = `+expr+`
    return s
`)
		if err != nil {
			return err
		}
		return m.Save(path)
	}))
	d, err := tigas.Open(root, path, tigas.OpenOptions{Height: 16})
	require.NoError(t, err)
	return d
}

// termFamilies are tiny families at 32 x 32 that draw the same random numbers with and without the term.
var termFamilies = map[string]func(root *torch.Scope, term tigas.Term) (Family, *tigas.Term, error){
	"gan": func(root *torch.Scope, term tigas.Term) (Family, *tigas.Term, error) {
		o := tiny()
		o.CriticSteps, o.Term = 1, term
		f, err := NewGAN(root, nil, o, torch.CPU)
		return f, &f.o.Term, err
	},
	"stylegan": func(root *torch.Scope, term tigas.Term) (Family, *tigas.Term, error) {
		o := tinyStyle()
		o.Term = term
		f, err := NewStyleGAN(root, nil, o, torch.CPU)
		return f, &f.o.Term, err
	},
	"vae": func(root *torch.Scope, term tigas.Term) (Family, *tigas.Term, error) {
		o := tinyVAE()
		o.TermOn, o.Term = TermOnReconstructions, term
		f, err := NewVAE(root, nil, o, torch.CPU)
		return f, &f.o.Term, err
	},
	"diffusion": func(root *torch.Scope, term tigas.Term) (Family, *tigas.Term, error) {
		o := tinyDiffusion()
		o.Term = term
		f, err := NewDiffusion(root, nil, o, torch.CPU)
		return f, &f.o.Term, err
	},
}

// weightHashes are hashes of a family's tensors.
func weightHashes(f Family) map[string]string {
	all := map[string]string{}
	for name, x := range f.Tensors() {
		all[name] = fmt.Sprintf("%x", sha256.Sum256(x.RawBytes()))
	}
	return all
}

// A step whose term is undefined is the step of a run without the term, bit for bit; the next one has the term again.
func TestUndefinedTermIsDropped(t *testing.T) {
	for name, build := range termFamilies {
		for what, expr := range map[string]string{
			"NaN":          "s / 0. * 0.",
			"infinity":     "s / 0.",
			"NaN gradient": "s + torch.sqrt(x * 0.).mean([1, 2, 3])", // 0 times infinity; the value is finite
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				// As Run does: sums over a graph's branches depend on the thread.
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				root := scope(t)
				good, bad := embedded(t, root), undefinedDetector(t, root, expr)
				train := func(step1 func(*tigas.Term)) (weights []map[string]string, reports []map[string]float64) {
					require.NoError(t, torch.Seed(3))
					f, term, err := build(root, constantTerm(good, 0.1))
					require.NoError(t, err)
					next := stepper(t, root, f, 5, familyBatch, 32)
					usual := *term
					for i := range 3 {
						*term = usual
						if i == 1 {
							step1(term)
						}
						reports = append(reports, next())
						weights = append(weights, weightHashes(f))
					}
					return weights, reports
				}
				none, _ := train(func(term *tigas.Term) { term.Weight = sched.Constant{} })
				dropped, reports := train(func(term *tigas.Term) { term.Detector = bad })
				require.Positive(t, bad.Calls())
				require.Equal(t, none, dropped)
				require.NotEqual(t, dropped[0], dropped[1], "the update was left out")
				for i, report := range reports {
					require.Equal(t, float64(i%2), report[droppedTerm], "step %d", i)
					for name, v := range report {
						if i == 1 && (name == scoreName || name == "tigas") {
							require.True(t, math.IsNaN(v), "there is no score, and 0 would count in a mean")
							continue
						}
						require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "step %d: %s is %v", i, name, v)
						require.NotContains(t, name, "skipped")
					}
				}
				require.Zero(t, reports[1]["tigas_loss"])
				require.NotZero(t, reports[2]["tigas_loss"])
			})
		}
	}
}

// On the CPU deterministic algorithms are what is used anyway.
func TestDeterministicChangesNothingOnTheCPU(t *testing.T) {
	for name, build := range termFamilies {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			root := scope(t)
			d := embedded(t, root)
			train := func(on bool) map[string]string {
				require.NoError(t, torch.SetDeterministic(on))
				defer func() { require.NoError(t, torch.SetDeterministic(false)) }()
				require.NoError(t, torch.Seed(3))
				term := constantTerm(d, 0.1)
				term.Options.Scales, term.Options.Augment = []float64{1, 0.5}, tigas.DefaultAugment(1)
				f, _, err := build(root, term)
				require.NoError(t, err)
				next := stepper(t, root, f, 5, familyBatch, 32)
				for range 3 {
					next()
				}
				return weightHashes(f)
			}
			require.Equal(t, train(false), train(true))
		})
	}
}
