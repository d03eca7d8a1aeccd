package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// output is a file that a command will write beside what it prints.
type output struct{ flag, path, ext string } // path "" for none, "-" for standard output where that is possible

func (o output) isFile() bool { return o.path != "" && o.path != "-" }

// checkOutputs refuses names of the wrong kind and the same file for two outputs.
func checkOutputs(l ...output) error {
	seen := map[string]string{}
	for _, o := range l {
		if o.path == "" || o.path == "-" && o.ext == ".json" {
			continue
		}
		if !strings.EqualFold(filepath.Ext(o.path), o.ext) {
			return usagef("%s: got %q vs a %s file", o.flag, o.path, o.ext)
		}
		clean := filepath.Clean(o.path)
		if other := seen[clean]; other != "" {
			return usagef("%s and %s: got %q for both", other, o.flag, o.path)
		}
		seen[clean] = o.flag
	}
	return nil
}

// checkInputs refuses to write over a file that is read.
func checkInputs(inputs []string, l ...output) error {
	for _, o := range l {
		out, err := os.Stat(o.path)
		if !o.isFile() || err != nil {
			continue
		}
		for _, path := range inputs {
			if in, err := os.Stat(path); err == nil && os.SameFile(in, out) {
				return usagef("%s: %s is one of the files to read", o.flag, o.path)
			}
		}
	}
	return nil
}

// prepareOutputs makes the folders of the files that will be written and tries whether it may write there, before anything
// is computed.
func prepareOutputs(l ...output) error {
	for _, o := range l {
		if !o.isFile() {
			continue
		}
		if info, err := os.Stat(o.path); err == nil && !info.Mode().IsRegular() {
			return coded(exitOutput, fmt.Errorf("%s is not a regular file", o.path))
		}
		dir := filepath.Dir(o.path)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return coded(exitOutput, err)
		}
		f, err := os.CreateTemp(dir, ".tigas-train-*")
		if err != nil {
			return coded(exitOutput, err)
		}
		if err = errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return coded(exitOutput, err)
		}
	}
	return nil
}

// preparePictures is prepareOutputs for a file of pictures, or for a folder that single ones go into.
func preparePictures(out string, file bool) error {
	if !file {
		out = filepath.Join(out, "picture")
	}
	return prepareOutputs(output{flag: "--out", path: out})
}
