package main

import "github.com/spf13/cobra"

func newDetector() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "detector",
		Short: "Make detectors",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q", args[0]).withHint("see tigas-train detector --help")
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newDetectorDemo())
	return cmd
}

