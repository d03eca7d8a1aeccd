package main

import (
	"encoding/json"
	"os"
	"path/filepath"
)

// defaultModel is the detector for pictures when none is named: that of the run whose samples they are, else the published
// one. The embedded one knows the demo pictures only and is no judge of others.
func defaultModel(files []scoreInput) string {
	model := ""
	for _, f := range files {
		m := runModel(f.path)
		if m == "" || model != "" && m != model {
			return "hub"
		}
		model = m
	}
	return model
}

// runModel is the detector of the run that a sample grid belongs to, "" for other pictures and for runs without one.
func runModel(path string) string {
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil || filepath.Base(dir) != "samples" {
		return ""
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(dir), "config.json"))
	var cfg runConfig
	if err != nil || json.Unmarshal(text, &cfg) != nil || cfg.Command == "" {
		return ""
	}
	switch {
	case cfg.TIGAS.Flags.Model != "":
		return cfg.TIGAS.Flags.Model
	case cfg.Data.demo():
		return "embedded"
	}
	return "hub"
}
