package main

import "github.com/spf13/cobra"

func newDetector() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "detector",
		Short: "Fetch, convert, inspect, check and train detectors",
		Example: `  tigas-train detector fetch                                  # the published one, from the hub
  tigas-train detector convert best_model.pt -o tigas.pt      # a PyTorch checkpoint to TorchScript
  tigas-train detector info tigas.pt
  tigas-train detector check tigas.pt --real photos/ --fake samples/
  tigas-train detector train --real photos/ --fake samples/ --out runs/detector`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return unknownCommand(cmd, args[0])
			}
			return cmd.Help()
		},
	}
	cmd.AddCommand(newDetectorConvert(), newDetectorInfo(), newDetectorFetch(), newDetectorCache(), newDetectorCheck(),
		newDetectorTrain(), newDetectorDemo())
	return cmd
}
