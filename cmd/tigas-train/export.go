package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/checkpoint"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// exportCommand is the command line of `export`.
type exportCommand struct {
	torchScript, safetensors string
	net                      string
	raw                      bool
	sys                      systemFlags
}

func newExport() *cobra.Command {
	var c exportCommand
	cmd := &cobra.Command{
		Use:   "export RUN",
		Short: "Write a network of a run for use elsewhere: TorchScript, safetensors",
		Long: `Write a network of a run folder (its newest snapshot) or of one snapshot file for use
without this program: as TorchScript, which Python's torch.jit.load and C++ run without any
code of ours, or its weights as safetensors with the names of PyTorch's state dict. A network
that came as TorchScript (gan --generator) goes back as the same module with its new weights.`,
		Example: `  tigas-train export runs/a --torchscript g.pt
  tigas-train export runs/a --torchscript g.pt --safetensors g.safetensors
  tigas-train export runs/a --net discriminator --torchscript d.pt
  tigas-train export runs/style --raw --safetensors g.safetensors      without averaging
  python3 -c 'import torch; g = torch.jit.load("g.pt"); print(g(torch.randn(4, 64)).shape)'`,
		Args: oneArg("a run folder or a snapshot"),
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, flag := range []string{"torchscript", "safetensors"} {
				if l := cmd.Flags().Lookup(flag); l.Changed && l.Value.String() == "" {
					return usagef("--%s: got an empty name", flag)
				}
			}
			if c.torchScript == "" && c.safetensors == "" {
				return usagef("export: got neither --torchscript nor --safetensors").withHint("give a file for one of them, or for both")
			}
			if ext := filepath.Ext(c.torchScript); c.torchScript != "" && !slices.Contains([]string{".pt", ".pth", ".ts"}, strings.ToLower(ext)) {
				return usagef("--torchscript: got %q vs a .pt file", c.torchScript)
			}
			outputs := []output{{"--safetensors", c.safetensors, ".safetensors"}}
			if err := checkOutputs(outputs...); err != nil {
				return err
			}
			outputs = append(outputs, output{"--torchscript", c.torchScript, ""})
			if file, err := findSnapshot(args[0]); err == nil {
				// And what the run's weights belong to.
				own, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(file)), networksDir, "*.pt"))
				if err := checkInputs(append(own, file), outputs...); err != nil {
					return err
				}
			}
			if _, err := c.sys.start(); err != nil {
				return err
			}
			console := c.sys.console(cmd.ErrOrStderr())
			if err := c.run(console, args[0], outputs); err != nil {
				return err
			}
			for _, o := range []string{c.torchScript, c.safetensors} {
				if o != "" {
					fmt.Fprintln(cmd.OutOrStdout(), o)
				}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&c.torchScript, "torchscript", "", "file of the network in TorchScript (.pt)")
	f.StringVar(&c.safetensors, "safetensors", "", "file of its weights (.safetensors)")
	f.StringVar(&c.net, "net", "", "which one: generator or discriminator of a gan or stylegan, decoder or encoder of a vae that came as two files (default the first of these, or the only one)")
	f.BoolVar(&c.raw, "raw", false, "the weights as they are trained, and not their average")
	c.sys.registerMachine(f, false)
	return cmd
}

func (c *exportCommand) run(console *monitor.Console, path string, outputs []output) error {
	return torch.Scoped(func(root *torch.Scope) error {
		l, tensors, err := readRun(root, path, torch.CPU)
		if err != nil {
			return err
		}
		known := l.config.roles()
		role := cmp.Or(c.net, known[0])
		if !slices.Contains(known, role) {
			return usagef("--net: got %q vs one of %s, for this run of %s", role, strings.Join(known, ", "), l.config.Command)
		}
		e, err := l.config.exported(root, tensors, role, c.raw)
		if err != nil {
			return coded(exitSnapshot, fmt.Errorf("%s: %w", l.file, err))
		}
		if err = prepareOutputs(outputs...); err != nil {
			return err
		}
		about, err := l.config.about(role, e.Averaged)
		if err != nil {
			return err
		}
		if c.safetensors != "" {
			// What others read a state dict with asks for the format.
			meta := map[string]string{"format": "pt", "tigas-train": about}
			if err = checkpoint.Save(c.safetensors, e.Tensors(), meta); err != nil {
				return coded(exitOutput, err)
			}
		}
		methods := ""
		if c.torchScript != "" {
			m, err := e.TorchScript(root)
			if err != nil {
				return coded(exitSnapshot, fmt.Errorf("%s: %w", l.file, err))
			}
			if err = m.SaveWith(c.torchScript, jit.Files{"tigas-train.json": about}); err != nil {
				return coded(exitOutput, err)
			}
			methods = l.config.describe(role)
		}
		console.Message("network   %s of %s, %d tensors, %s parameters%s", role, l.file, lengthOf(e.Tensors()), monitor.Count(nn.CountParams(e.Net)), methods)
		return nil
	})
}

func lengthOf(l iter.Seq2[string, *torch.Tensor]) (n int) {
	for range l {
		n++
	}
	return n
}

// roles are the networks of a run that can be exported, first the one that the run is for.
func (c runConfig) roles() []string {
	switch {
	case c.GAN != nil && c.GAN.Loss == trainers.TIGASOnly:
		return []string{"generator"}
	case c.GAN != nil, c.StyleGAN != nil:
		return []string{"generator", "discriminator"}
	case c.Networks != nil && c.Networks.Files["decoder"].File != "":
		return []string{"decoder", "encoder"}
	}
	return []string{"network"}
}

// exported builds a network of the run with a snapshot's weights.
func (c runConfig) exported(root *torch.Scope, tensors map[string]*torch.Tensor, role string, raw bool) (*trainers.Exported, error) {
	w := trainers.Which{Critic: role == "discriminator", Decoder: role == "decoder", Raw: raw}
	switch {
	case c.GAN != nil:
		c.Networks.gan(c.GAN)
		return trainers.ExportGAN(root, *c.GAN, tensors, torch.CPU, w)
	case c.StyleGAN != nil:
		return trainers.ExportStyleGAN(root, *c.StyleGAN, tensors, torch.CPU, w)
	case c.VAE != nil:
		c.Networks.vae(c.VAE)
		return trainers.ExportVAE(root, *c.VAE, tensors, torch.CPU, w)
	case c.Diffusion != nil:
		c.Networks.diffusion(c.Diffusion)
		return trainers.ExportDiffusion(root, *c.Diffusion, tensors, torch.CPU, w)
	}
	return nil, fmt.Errorf("got a run of the command %q vs gan, stylegan, vae or diffusion", c.Command)
}

// about says in JSON what an exported network is: its options are what one needs to use it.
func (c runConfig) about(role string, averaged bool) (string, error) {
	about := map[string]any{"network": role, "command": c.Command, "version": c.Version, "averaged": averaged}
	own := c.Networks != nil && c.Networks.Files[role].File != ""
	if own {
		about["range"] = c.Networks.Range
	}
	switch {
	case c.GAN != nil:
		o := *c.GAN
		if own {
			o.Arch, o.GenWidth, o.CriticWidth = "", 0, 0 // those of networks that are not there
		}
		about["options"] = o
	case c.StyleGAN != nil:
		about["options"] = c.StyleGAN
	case c.VAE != nil:
		o := *c.VAE
		if own {
			o.Width = 0
		}
		about["options"] = o
	case c.Diffusion != nil:
		about["options"] = c.Diffusion
	}
	b, err := json.Marshal(about)
	return string(b), err
}

// describe says how the TorchScript of the program's own networks is called.
func (c runConfig) describe(role string) string {
	switch {
	case c.Networks != nil && c.Networks.Files[role].File != "":
		return "; called as before"
	case role == "discriminator":
		return "; forward(pictures [N, 3, R, R] in [-1, 1]) gives logits [N]"
	case c.GAN != nil:
		return fmt.Sprintf("; forward(latents [N, %d]) gives pictures in [-1, 1]", c.GAN.Latent)
	case c.StyleGAN != nil:
		return fmt.Sprintf("; forward(latents [N, %d]) gives pictures, styles(latents) and synthesize(styles) are its parts", c.StyleGAN.Net.Resolve().Latent)
	case c.VAE != nil:
		return fmt.Sprintf("; encode(pictures) gives means and logarithms of variances [N, %d], decode(latents) pictures in [-1, 1]", c.VAE.Latent)
	}
	return fmt.Sprintf("; forward(pictures, timesteps int64 [N]) predicts %s of %d steps", c.Diffusion.Predict, c.Diffusion.Timesteps)
}

// unsave removes what save wrote: the run goes on, and it is no longer the newest.
func (s *networks) unsave(run *checkpoint.Run) {
	if s == nil {
		return
	}
	for role := range s.Files {
		if path := filepath.Join(run.Dir, role+".pt"); run.Inside(path) == nil {
			_ = os.Remove(path)
		}
	}
}

// save writes the networks that came as TorchScript beside the run's snapshots, with their new weights, or only those that are
// missing there.
func (s *networks) save(console *monitor.Console, run *checkpoint.Run, missing bool) error {
	if s == nil {
		return nil
	}
	there := func(role string) bool {
		_, err := os.Stat(filepath.Join(run.Dir, role+".pt"))
		return err == nil
	}
	if missing && !slices.ContainsFunc(slices.Collect(maps.Keys(s.Files)), func(role string) bool { return !there(role) }) {
		return nil
	}
	return torch.Scoped(func(root *torch.Scope) error {
		l, tensors, err := readRun(root, run.Dir, torch.CPU)
		if err != nil {
			return err
		}
		for _, role := range l.config.roles() {
			if s.Files[role].File == "" || missing && there(role) {
				continue
			}
			e, err := l.config.exported(root, tensors, role, false)
			if err != nil {
				return coded(exitSnapshot, fmt.Errorf("%s: %w", l.file, err))
			}
			m, err := e.TorchScript(root)
			if err != nil {
				return err
			}
			path := filepath.Join(run.Dir, role+".pt")
			if err = run.Inside(path); err == nil {
				err = m.Save(path)
			}
			if err != nil {
				return coded(exitOutput, err)
			}
			console.Message("saved     %s", path)
		}
		return nil
	})
}
