package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tigas-train/tigas-train/pkg/tigas/hub"
)

const hubVariables = `Variables, as Hugging Face's own programs have them: HF_TOKEN (private or gated
repositories), HF_ENDPOINT (a mirror), HF_HUB_OFFLINE=1 (caches only), HF_HOME and
HF_HUB_CACHE (where its own cache is), HTTPS_PROXY and NO_PROXY. TIGAS_CACHE_DIR is the
folder of this command, which upstream's Python package shares: ~/.cache/tigas/models.`

func newDetectorFetch() *cobra.Command {
	var file hub.File
	var force bool
	var say consoleFlags
	cmd := &cobra.Command{
		Use:   "fetch",
		Short: "Download the published detector from the Hugging Face hub",
		Long: `Download the published detector, or find it in the caches. An interrupted download
goes on where it ended; what arrives is compared with the hub's checksum. The path is
printed; --tigas-model hub does the same by itself.

` + hubVariables,
		Example: `  tigas-train detector fetch
  tigas-train detector fetch --revision main --force
  HF_ENDPOINT=https://mirror.example tigas-train detector fetch`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			console := say.console(cmd.ErrOrStderr())
			res, err := fetchDetector(cmd.Context(), console, file, force)
			if err != nil {
				return err
			}
			console.Message("%s  %s, %d MB, sha256 %.12s%s", map[bool]string{true: "cached  ", false: "fetched "}[res.FromCache], file, res.Size>>20,
				res.SHA256, verified(res))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), res.Path)
			return coded(exitOutput, err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&file.Revision, "revision", hub.DefaultRevision, "branch, tag or commit")
	f.StringVar(&file.Repo, "repo", hub.DefaultRepo, "repository on the hub")
	f.StringVar(&file.Name, "file", hub.DefaultName, "file in the repository")
	f.BoolVar(&force, "force", false, "download anew, even if the file is there")
	say.register(f)
	return cmd
}

func verified(r hub.Result) string {
	var s strings.Builder
	if r.Commit != "" {
		fmt.Fprintf(&s, ", commit %.12s", r.Commit)
	}
	if r.Verified {
		s.WriteString(", checksum verified")
	}
	return s.String()
}

func newDetectorCache() *cobra.Command {
	var clear bool
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "List or clear the downloaded detectors",
		Example: `  tigas-train detector cache
  tigas-train detector cache --clear`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := newHub()
			if err != nil {
				return err
			}
			if clear {
				freed, err := client.Clear()
				if err != nil {
					return coded(exitOutput, err)
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d MB freed\n", client.Cache, freed>>20)
				return coded(exitOutput, err)
			}
			return coded(exitOutput, listCache(cmd.OutOrStdout(), client))
		},
	}
	cmd.Flags().BoolVar(&clear, "clear", false, "delete what is listed, and what is left of downloads")
	return cmd
}

func listCache(w io.Writer, client *hub.Client) error {
	entries, total, err := client.List()
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		_, err = fmt.Fprintf(w, "%s: empty\n", client.Cache)
		return err
	}
	for _, e := range entries {
		what := ""
		switch {
		case e.Partial:
			what = "  unfinished download of " + e.Repo
		case e.Converted:
			what = "  TorchScript of a checkpoint"
		case e.Commit != "":
			what = fmt.Sprintf("  %s at %.12s %v", e.Repo, e.Commit, e.Revisions)
		}
		fmt.Fprintf(w, "%6d MB  %s  %s%s\n", e.Size>>20, e.ModTime.Format("2006-01-02"), e.Path, what)
	}
	_, err = fmt.Fprintf(w, "%6d MB  in all, %s\n", total>>20, client.Cache)
	return err
}
