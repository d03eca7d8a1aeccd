// Command tigas-train trains image generators on libtorch, with the TIGAS realism score as an extra loss.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// sameSignal is how long after a signal others are taken for the same one.
const sameSignal = time.Second

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run executes one command line and returns the exit code. Results go to stdout, everything else to stderr.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// Further signals belong to the first for a moment: timeout(1) and others signal a process and then its group. After that
	// one ends the program at once.
	context.AfterFunc(ctx, func() { time.AfterFunc(sameSignal, stop) })
	root := newRoot()
	root.SetArgs(jsonArgument(args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	if errors.Is(err, torch.ErrNondeterministic) {
		err = fmt.Errorf("--deterministic: %w", err)
	}
	fmt.Fprintf(stderr, "tigas-train: error: %s\n", oneLine(err))
	var hint *hinted
	if errors.As(err, &hint) && hint.hint != "" {
		fmt.Fprintf(stderr, "tigas-train: hint: %s\n", hint.hint)
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tigas-train",
		Short: "Train image generators with the TIGAS realism score as an extra loss",
		Long: `tigas-train trains image generators natively on libtorch, with the TIGAS realism
score as an extra loss: 1 - mean(score) of a frozen detector, added with a weight.

  tigas-train gan --tigas-weight 0.1 --out runs/a           demo pictures, at once
  tigas-train stylegan --data photos/ --resolution 64 --device cuda
  tigas-train vae                                           the same flags
  tigas-train diffusion
  tigas-train sample runs/a --n 64 --out grid.png
  tigas-train interpolate runs/a --frames 60 --out walk.gif
  tigas-train eval runs/a                                   how near to real pictures
  tigas-train watch runs/                                   curves and samples, live in a browser
  tigas-train report runs/a --out report.html               the same as one file
  tigas-train score photos/                                 is this one real?
  tigas-train doctor                                        what this machine has

Exit codes:
` + exitCodes,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return unknownCommand(cmd, args[0])
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%s", flagError(err)).withHint("see %s --help", cmd.CommandPath())
	})
	root.AddCommand(newGAN(), newStyleGAN(), newVAE(), newDiffusion(), newSample(), newInterpolate(), newReconstruct(), newEval(), newReport(), newWatch(), newProgression(), newScore(), newDetector(), newDoctor(), newVersion())
	return root
}

// flagError says what a flag wants where pflag says which function of Go could not read its value.
func flagError(err error) string {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err.Error()
	}
	want, ok := map[string]string{"int": "a whole number", "int64": "a whole number", "float64": "a number",
		"float64Slice": "numbers with commas between them", "bool": "true or false"}[bad.GetFlag().Value.Type()]
	if !ok {
		return err.Error()
	}
	return fmt.Sprintf("--%s: got %q vs %s", bad.GetFlag().Name, bad.GetValue(), want)
}

func unknownCommand(cmd *cobra.Command, name string) error {
	e := usagef("unknown command %q", name)
	if s := cmd.SuggestionsFor(name); len(s) > 0 {
		return e.withHint("did you mean %s?", strings.Join(s, " or "))
	}
	return e.withHint("see tigas-train --help for the commands")
}

// oneLine keeps an error's text on one line, whatever a library put into it.
func oneLine(err error) string {
	return monitor.Printable(strings.Join(strings.Fields(err.Error()), " "))
}
