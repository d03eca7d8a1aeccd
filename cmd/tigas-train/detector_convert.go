package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
)

func newDetectorConvert() *cobra.Command {
	var out string
	var o convert.Options
	var sys systemFlags
	cmd := &cobra.Command{
		Use:   "convert CHECKPOINT",
		Short: "Make TorchScript of a PyTorch checkpoint (best_model.pt)",
		Long: `Make a TorchScript detector of a checkpoint of the Python package: a trainer's file
(best_model.pt, latest_model.pt), one of save_model, or a bare state dict. Mode, widths
and layout are found from the tensors; nothing in the file is executed; the optimizer's
state is not read. The result scores like the original, to the last bits of float32.

Every tensor that the score depends on must be there with its shape. Of others only
those are left out that cannot change it: the full mode's spectral and statistical
branches (docs/detector.md says why).`,
		Example: `  tigas-train detector convert best_model.pt -o tigas.pt
  tigas-train detector convert best_model.pt -o tigas.pt --logits    # forward returns {"score", "logits"}`,
		Args: oneArg("a checkpoint"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := sys.start(); err != nil {
				return err
			}
			return convertDetector(sys.console(cmd.ErrOrStderr()), cmd.OutOrStdout(), args[0], out, o)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "tigas.pt", "file to write; one that is there is replaced")
	f.BoolVar(&o.Logits, "logits", false, `forward returns a dict of "score" [N, 1] and "logits" [N, 2] (generated, real)`)
	sys.registerMachine(f, false)
	return cmd
}

func convertDetector(console *monitor.Console, stdout io.Writer, in, out string, o convert.Options) error {
	a, err := os.Stat(in)
	if err != nil {
		return coded(exitData, err)
	}
	if b, err := os.Stat(out); err == nil && os.SameFile(a, b) {
		return usagef("--out: %s is the checkpoint itself", out).withHint("choose another file")
	}
	sum := make(chan string, 1)
	go func() { sum <- hashFile(in) }()
	c, err := convert.Open(in)
	if err != nil {
		return coded(exitData, err)
	}
	defer c.Close()
	console.Message("found     %s", describeFound(c))
	if len(c.Others) > 0 {
		console.Message("not read  %s", strings.Join(c.Others, ", "))
	}
	if n := len(c.Inert); n > 0 {
		console.Message("left out  %d tensors that cannot change the score: %s", n, strings.Join(prefixes(c.Inert), ", "))
	}
	root := torch.NewScope()
	defer root.Close()
	card := c.Card(o)
	err = root.Scoped(func(s *torch.Scope) error {
		m, err := c.Module(s, torch.CPU, o)
		if err != nil {
			return coded(exitData, err)
		}
		card.Source.SHA256 = <-sum
		if dir := filepath.Dir(out); dir != "." {
			if err = os.MkdirAll(dir, 0o755); err != nil {
				return coded(exitOutput, err)
			}
		}
		return coded(exitOutput, m.SaveWith(out, jit.Files{network.CardFile: card.Text()}))
	})
	if err != nil {
		return err
	}
	// What was written, not what was meant: the file is loaded again and tested, as a training would.
	d, err := tigas.Open(root, out, tigas.OpenOptions{})
	if err != nil {
		return coded(exitData, fmt.Errorf("%s was written, but it is no detector to use as a loss: %w", out, err))
	}
	console.Message("written   %s, %s parameters, self-test passed, sha256 %.12s", out, thousands(card.Parameters), d.SHA256)
	_, err = fmt.Fprintln(stdout, out)
	return coded(exitOutput, err)
}

// describeFound is a line about the network in a checkpoint.
func describeFound(c *convert.Checkpoint) string {
	s := fmt.Sprintf("%s mode", c.Arch.Mode)
	if c.Arch.Mode == network.FullMode {
		s += fmt.Sprintf(" (layout %s)", c.Layout)
	}
	s += fmt.Sprintf(", base %d, features %d, %d tensors, image size %d", c.Arch.Base, c.Arch.Feature, c.Tensors(), c.ImageSize)
	if c.Epoch != nil {
		s += fmt.Sprintf(", epoch %d", *c.Epoch)
	}
	return s
}

// prefixes are the first parts of names, each once, in order.
func prefixes(names []string) (out []string) {
	for _, n := range names {
		p, _, _ := strings.Cut(n, ".")
		if len(out) == 0 || out[len(out)-1] != p {
			out = append(out, p)
		}
	}
	return out
}

// thousands writes 16508747 as 16,508,747. n is not negative.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
