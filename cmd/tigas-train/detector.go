package main

import "github.com/spf13/cobra"

func newDetector() *cobra.Command { return &cobra.Command{Use: "detector", Short: "x"} }
func newSample() *cobra.Command   { return &cobra.Command{Use: "sample", Short: "x"} }
func newScore() *cobra.Command    { return &cobra.Command{Use: "score", Short: "x"} }
