package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/data"
)

// openSets opens the data sets that a flag names and puts them one after the other. size is that of the demo pictures.
func openSets(flag string, paths []string, size int) (data.Dataset, error) {
	if err := disjoint(flag, paths, flag, paths); err != nil {
		return nil, err
	}
	var sets []data.Dataset
	for _, p := range paths {
		ds, err := data.Open(p, size)
		if err != nil {
			return nil, coded(exitData, fmt.Errorf("--%s: %w", flag, err))
		}
		sets = append(sets, ds)
	}
	return data.Join(sets...), nil
}

// disjoint refuses a folder that is given twice, or lies in another one: its pictures would be in two parts of the data.
func disjoint(flagA string, a []string, flagB string, b []string) error {
	for i, p := range a {
		for k, q := range b {
			if flagA == flagB && k <= i {
				continue
			}
			if x, y := resolved(p), resolved(q); x == y || within(x, y) || within(y, x) {
				return usagef("--%s %s and --%s %s: got the same pictures twice", flagA, p, flagB, q)
			}
		}
	}
	return nil
}

func within(path, dir string) bool { return strings.HasPrefix(path, dir+string(filepath.Separator)) }

// resolved is a path as the system knows it, without links; as it is where there is nothing.
func resolved(path string) string {
	abs, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		return real
	}
	return abs
}
