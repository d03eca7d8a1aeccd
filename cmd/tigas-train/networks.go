package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/atomicfile"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// Ranges of the pictures that a network of one's own takes and makes.
const (
	rangeSymmetric = "symmetric"
	rangeUnit      = "unit"
	rangeRaw       = "raw"
)

// networkFlags are the flags that name networks in TorchScript, which are trained in place of the program's own.
type networkFlags struct {
	paths map[string]*string // by flag
	over  string             // the range
	roles []string
}

// register adds a flag for each role, with its help.
func (n *networkFlags) register(f *pflag.FlagSet, ranges string, roles ...[2]string) {
	n.paths = map[string]*string{}
	for _, r := range roles {
		n.paths[r[0]] = f.String(r[0], "", r[1])
		n.roles = append(n.roles, r[0])
	}
	n.over = rangeSymmetric
	if ranges != "" {
		f.StringVar(&n.over, "net-range", n.over, "of the pictures that these networks take and make: "+ranges)
	}
}

// fixed are the flags without which it would be another network.
func (n *networkFlags) fixed() []string { return append([]string{"net-range"}, n.roles...) }

// given tells whether a role has a network.
func (n *networkFlags) given(role string) bool { return *n.paths[role] != "" }

// networks are those of a run in TorchScript, by the flag that named them.
type networks struct {
	Range string                 `json:"range"`
	Files map[string]networkFile `json:"files"`

	data map[string]models.ScriptFile
}

// networkFile says which file of the run folder a network was made of.
type networkFile struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// networksDir is the folder of a run that they are copied into.
const networksDir = "networks"

// read reads the files that the flags name: for a run that is continued those in its folder, whatever has become of the others.
// It returns nil where none is named, and refuses flags of the program's own networks where there are none of them.
func (n *networkFlags) read(cmd *cobra.Command, keep *keepFlags, own map[string][]string) (*networks, error) {
	f := cmd.Flags()
	if !slices.ContainsFunc(n.roles, n.given) {
		if l := f.Lookup("net-range"); l != nil && l.Changed && l.Annotations[originKey] == nil { // on the command line
			return nil, usagef("--net-range: it is for networks that %s name", flagList(n.roles))
		}
		return nil, nil
	}
	if n.over != rangeSymmetric && n.over != rangeUnit && (n.over != rangeRaw || n.paths["decoder"] == nil) {
		return nil, usagef("--net-range: got %q vs %s", n.over, strings.Join(rangesOf(cmd), ", "))
	}
	for _, role := range n.roles {
		for _, flag := range own[role] {
			if n.given(role) && givenNow(f.Lookup(flag)) {
				return nil, usagef("--%s: it is for the program's own network, and --%s names another", flag, role)
			}
		}
	}
	s := &networks{Range: n.over, Files: map[string]networkFile{}, data: map[string]models.ScriptFile{}}
	for _, role := range n.roles {
		if !n.given(role) {
			continue
		}
		if keep.run != nil && keep.was.Flags[role].Value != "" {
			file, ok := keep.was.Networks.file(role)
			if !ok && keep.from.File != "" {
				return nil, coded(exitSnapshot, fmt.Errorf("%s: its configuration does not say where its %s is", keep.run.Dir, role))
			}
			if ok {
				if err := s.load(role, keep.run.Dir, file); err != nil {
					return nil, err
				}
				continue // another path is refused with the other flags that make it another network
			}
		}
		path := *n.paths[role]
		f, err := models.ReadScript(path)
		if err != nil {
			return nil, coded(exitData, fmt.Errorf("--%s: %w", role, err))
		}
		s.data[role] = f
		s.Files[role] = networkFile{filepath.Join(networksDir, role+".pt"), f.SHA256()}
	}
	return s, nil
}

// file is what is known of a role's network.
func (s *networks) file(role string) (networkFile, bool) {
	if s == nil || s.Files[role].File == "" {
		return networkFile{}, false
	}
	return s.Files[role], true
}

// path is that of a network as it was named, whether it is still there or not.
func (n *networkFlags) path(role string) string {
	path := *n.paths[role]
	if path == "" {
		return ""
	}
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// load reads the copy of a network that a run folder has.
func (s *networks) load(role, dir string, file networkFile) error {
	path := filepath.Join(dir, file.File)
	if !filepath.IsLocal(file.File) {
		return coded(exitSnapshot, fmt.Errorf("the run's %s is said to be at %s, out of its folder", role, file.File))
	}
	f, err := models.ReadScript(path)
	if err != nil {
		return (&hinted{code: exitSnapshot, err: err}).withHint("the run's %s is TorchScript, of which its folder has a copy: give the run folder, with all that is in it", role)
	}
	if sum := f.SHA256(); sum != file.SHA256 {
		return coded(exitSnapshot, fmt.Errorf("%s has changed since the run began: got the checksum %.12s vs %.12s", path, sum, file.SHA256))
	}
	if s.data == nil {
		s.data = map[string]models.ScriptFile{}
	}
	s.data[role], s.Files[role] = f, file
	return nil
}

// open reads the files of a finished run. A run without any has a nil receiver.
func (s *networks) open(snapshot string) error {
	if s == nil {
		return nil
	}
	dir := filepath.Dir(filepath.Dir(snapshot))
	for role, file := range s.Files {
		if err := s.load(role, dir, file); err != nil {
			return err
		}
	}
	return nil
}

// copyTo puts the networks as they came into a run folder.
func (s *networks) copyTo(run *checkpoint.Run) error {
	if s == nil {
		return nil
	}
	for role, f := range s.data {
		path := filepath.Join(run.Dir, s.Files[role].File)
		if err := run.Inside(path); err != nil {
			return coded(exitOutput, err)
		}
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil {
			err = atomicfile.Write(path, func(w *os.File) error {
				_, err := w.Write(f.Data)
				return err
			})
		}
		if err != nil {
			return coded(exitOutput, err)
		}
	}
	return nil
}

func (s *networks) options() models.ScriptOptions {
	return models.ScriptOptions{Unit: s.Range == rangeUnit}
}

// gan puts the networks in place of those of the options.
func (s *networks) gan(o *trainers.GANOptions) {
	if s == nil {
		return
	}
	if f, ok := s.data["generator"]; ok {
		o.Generator = func(b nn.Builder) (models.Generator, error) {
			so := s.options()
			so.Latent, so.Resolution = o.Latent, o.Resolution
			return models.NewScriptGenerator(b, f, so)
		}
	}
	if f, ok := s.data["discriminator"]; ok {
		o.Critic = func(b nn.Builder) (models.Critic, error) {
			so := s.options()
			so.Resolution, so.Batch = o.Resolution, o.Batch
			return models.NewScriptCritic(b, f, so)
		}
	}
}

// vae does so for an autoencoder.
func (s *networks) vae(o *trainers.VAEOptions) {
	if s == nil {
		return
	}
	encoder, decoder := s.data["network"], models.ScriptFile{} // one that is both
	if e, ok := s.data["encoder"]; ok {
		encoder, decoder = e, s.data["decoder"]
	}
	o.Network = func(b nn.Builder) (models.Autoencoder, error) {
		if encoder.Data == nil || s.Files["decoder"].File != "" && decoder.Data == nil {
			return nil, errors.New("the run names no network, or half of one")
		}
		so := s.options()
		so.Resolution = o.Resolution
		return models.NewScriptAutoencoder(b, encoder, decoder, so, s.Range == rangeRaw)
	}
}

// diffusion does so for a denoiser.
func (s *networks) diffusion(o *trainers.DiffusionOptions) {
	if s == nil {
		return
	}
	o.Network = func(b nn.Builder) (models.Denoiser, error) {
		return models.NewScriptDenoiser(b, s.data["network"], o.Resolution, o.Timesteps)
	}
}

// tryOut makes networks, before data and detector are opened.
func tryOut(sys systemFlags, f func(b nn.Builder) error) error {
	device, err := sys.start()
	if err != nil {
		return err
	}
	err = torch.Scoped(func(root *torch.Scope) error { return f(nn.Builder{Scope: root.Child(), Device: device}) })
	if h := (*hinted)(nil); errors.As(err, &h) || errors.Is(err, torch.ErrOutOfMemory) {
		return err
	}
	return coded(exitData, err)
}

// originNetwork is the origin of what was read off a network.
const originNetwork = "network"

// tryGAN looks at the networks, and reads latent and resolution off the generator where they are not given.
func (s *networks) tryGAN(sys systemFlags, console *monitor.Console, f *pflag.FlagSet, o trainers.GANOptions, resolution int) error {
	return tryOut(sys, func(b nn.Builder) error {
		so := s.options()
		so.Resolution, so.Batch = resolution, o.Batch
		if file, ok := s.data["generator"]; ok {
			so.Latent, so.Resolution = 0, 0
			if f.Changed("latent") {
				so.Latent = o.Latent
			}
			if f.Changed("resolution") {
				so.Resolution = resolution
			}
			g, err := models.NewScriptGenerator(b, file, so)
			if err != nil {
				return err
			}
			preset(f, originNetwork, "latent", g.LatentDim(), "resolution", g.Resolution())
			so.Resolution = int(g.Resolution())
			warn(console, g.Advice(b))
		}
		file, ok := s.data["discriminator"]
		if !ok || o.Loss == trainers.TIGASOnly {
			return nil
		}
		d, err := models.NewScriptCritic(b, file, so)
		if err != nil {
			return err
		}
		warn(console, d.Advice(b))
		if o.Loss == trainers.WGANGP && d.Uses("forward", "aten::batch_norm") {
			warn(console, fmt.Sprintf("%s has a batch norm: the gradient penalty of wgan-gp is for critics that look at each picture by itself", d))
		}
		return nil
	})
}

// tryVAE looks at the networks, and reads latent off them.
func (s *networks) tryVAE(sys systemFlags, console *monitor.Console, f *pflag.FlagSet, o trainers.VAEOptions) error {
	return tryOut(sys, func(b nn.Builder) error {
		s.vae(&o)
		net, err := o.Network(b)
		if err != nil {
			return err
		}
		a := net.(*models.ScriptAutoencoder)
		n := a.LatentDim()
		if f.Changed("latent") && int64(o.Latent) != n {
			return usagef("--latent: got %d, and the network has %d", o.Latent, n)
		}
		preset(f, originNetwork, "latent", n)
		warn(console, a.Advice(b))
		return nil
	})
}

// tryDiffusion looks at the network.
func (s *networks) tryDiffusion(sys systemFlags, console *monitor.Console, o trainers.DiffusionOptions) error {
	return tryOut(sys, func(b nn.Builder) error {
		s.diffusion(&o)
		net, err := o.Network(b)
		if err == nil {
			warn(console, net.(*models.ScriptDenoiser).Advice())
		}
		return err
	})
}

func warn(console *monitor.Console, text string) {
	if text != "" {
		console.Warn("%s", text)
	}
}

func rangesOf(cmd *cobra.Command) []string {
	if cmd.Flags().Lookup("decoder") != nil {
		return []string{rangeSymmetric, rangeUnit, rangeRaw}
	}
	return []string{rangeSymmetric, rangeUnit}
}

func flagList(names []string) string { return "--" + strings.Join(names, ", --") }
