package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tigas-train/tigas-train/pkg/checkpoint"
)

// completer is a function of cobra's that says how a word goes on.
type completer = func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective)

// completeFlags tells cobra how the values of a command's flags and its arguments go on. It reads folders and nothing else.
func completeFlags(cmd *cobra.Command) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !isSwitch(f) {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, flagCompleter(cmd, f)) // fails for a flag that has one
		}
	})
	if c := argumentCompleter(cmd); c != nil && cmd.ValidArgs == nil && cmd.ValidArgsFunction == nil {
		cmd.ValidArgsFunction = c
	}
}

// fileTypes are the extensions of the files that flags name.
var fileTypes = map[string][]string{
	"config":        {"yaml", "yml", "json"},
	"decoder":       {"pt"},
	"discriminator": {"pt"},
	"encoder":       {"pt"},
	"generator":     {"pt"},
	"network":       {"pt"},
	"safetensors":   {"safetensors"},
	"torchscript":   {"pt"},
}

func flagCompleter(cmd *cobra.Command, f *pflag.Flag) completer {
	words, _ := choices(cmd, f.Name)
	value := metavar(cmd, f)
	switch ext := fileTypes[f.Name]; {
	case ext != nil:
		return extension(ext...)
	case value == "RUN":
		return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return mixed(word, append(runFolders(word), words...), ".safetensors")
		}
	case value == "DETECTOR":
		return among(words, ".pt", ".pth")
	case words != nil && (value == "PATH" || value == "FILE"):
		return among(words)
	case words != nil:
		return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return beginWith(word, words), cobra.ShellCompDirectiveNoFileComp
		}
	case value == "DIR":
		return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		}
	case strings.HasPrefix(value, "FILE."):
		return extension(strings.TrimPrefix(value, "FILE."))
	case value == "PATH", value == "FILE":
		return shellFiles
	}
	return cobra.NoFileCompletions
}

// argumentCompleter is that of a command's arguments.
func argumentCompleter(cmd *cobra.Command) completer {
	runs := func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return mixed(word, runFolders(word), ".safetensors")
	}
	switch commandName(cmd) {
	case "eval", "report", "watch", "show", "config show":
		return runs
	case "sample", "interpolate", "progression", "export":
		return firstOnly(runs, cobra.NoFileCompletions)
	case "reconstruct":
		return firstOnly(runs, shellFiles)
	case "detector info", "detector check":
		return firstOnly(among([]string{"embedded", "hub"}, ".pt", ".pth"), cobra.NoFileCompletions)
	case "detector convert":
		return firstOnly(extension("pt", "pth"), cobra.NoFileCompletions)
	case "score":
		return shellFiles
	}
	if cmd.HasSubCommands() {
		return nil // cobra completes them
	}
	return cobra.NoFileCompletions
}

// shellFiles leaves the completion to the shell, which completes files.
func shellFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func extension(ext ...string) completer {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return ext, cobra.ShellCompDirectiveFilterFileExt
	}
}

// firstOnly completes the first argument in one way and those after it in another.
func firstOnly(first, rest completer) completer {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return first(cmd, args, word)
		}
		return rest(cmd, args, word)
	}
}

// among completes words, and files beside them.
func among(words []string, ext ...string) completer {
	return func(_ *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		return mixed(word, words, ext...)
	}
}

// beginWith are the words that go on from what has been written of one.
func beginWith(word string, words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(w string) bool { return !strings.HasPrefix(w, word) })
}

// mixed is words and paths: a shell completes either of them by itself. A folder is no end, so no space follows.
func mixed(word string, words []string, ext ...string) ([]string, cobra.ShellCompDirective) {
	words = beginWith(word, words)
	if strings.HasPrefix(word, "~") { // which the shell knows
		return words, cobra.ShellCompDirectiveDefault
	}
	dir, start := filepath.Split(word)
	entries, _ := os.ReadDir(filepath.Clean("./" + dir))
	if filepath.IsAbs(word) {
		entries, _ = os.ReadDir(dir)
	}
	directive := cobra.ShellCompDirectiveNoFileComp
	for _, e := range entries {
		path := dir + e.Name()
		if !strings.HasPrefix(e.Name(), start) || strings.HasPrefix(e.Name(), ".") && start == "" || slices.Contains(words, path) {
			continue
		}
		info, err := os.Stat(path) // of what a link leads to
		switch {
		case err != nil:
		case info.IsDir():
			words = append(words, path+"/")
			directive |= cobra.ShellCompDirectiveNoSpace
		case ext == nil || slices.Contains(ext, strings.ToLower(filepath.Ext(path))):
			words = append(words, path)
		}
	}
	return words, directive
}

// runFolders are the runs in the folder of a word, or in runs/ where the word does not say.
func runFolders(word string) (l []string) {
	dir, _ := filepath.Split(word)
	if dir == "" {
		dir = "runs/"
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if _, err := checkpoint.Open(dir + e.Name()); err == nil {
			l = append(l, dir+e.Name())
		}
	}
	return l
}
