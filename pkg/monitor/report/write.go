package report

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"
)

// mostPictures is how many of a kind a file has of a run. More would be slow to open, and nobody looks at each of them.
const mostPictures = 60

// Write writes one HTML file that needs nothing else: the data and the pictures are in it. A picture that is missing, is no
// PNG or cannot be read is left out, with a note on the page. The errors are those of w.
func Write(w io.Writer, runs []Run) error { return write(w, runs, time.Now()) }

func write(w io.Writer, runs []Run, now time.Time) error {
	doc := newDocument(runs, now, false)
	doc.Written = stamp(now)
	head, tail := pageParts(title(runs), policy("data:", "'none'"))
	if _, err := io.WriteString(w, head); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	// The pictures first, because the document says which of them could be read. One at a time is in memory.
	for i, r := range runs {
		all := r.pictures()
		shown := Thin(all, mostPictures)
		broken := map[string]int{}
		for k, p := range shown {
			file, err := p.Read()
			if err != nil || !isPNG(file) {
				broken[p.Kind]++
				continue
			}
			id := fmt.Sprintf("picture-%d-%d", i, k)
			if err := writePicture(w, id, file); err != nil {
				return fmt.Errorf("report: %w", err)
			}
			doc.Runs[i].Pictures = append(doc.Runs[i].Pictures, pictureData{p.Kind, number(p.Kimg), "#" + id})
		}
		doc.Runs[i].Notes = notes(len(all)-len(shown), broken)
	}
	data, err := dataElement(doc)
	if err == nil {
		_, err = io.WriteString(w, data+tail)
	}
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// title is that of the browser's window.
func title(runs []Run) string {
	l := names(runs)
	if len(l) > 3 {
		l = append(l[:3:3], "...")
	}
	return strings.TrimPrefix(strings.Join(l, ", ")+" - tigas-train", " - ")
}

func writePicture(w io.Writer, id string, file []byte) error {
	if _, err := fmt.Fprintf(w, `<script type="text/plain" id="%s">data:image/png;base64,`, id); err != nil {
		return err
	}
	enc := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := enc.Write(file); err != nil {
		return err
	}
	if err := enc.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w, "</script>\n")
	return err
}

// isPNG looks at both ends, because a file that was cut would show as a half.
func isPNG(file []byte) bool {
	return bytes.HasPrefix(file, []byte("\x89PNG\r\n\x1a\n")) && bytes.HasSuffix(file, []byte("IEND\xaeB`\x82"))
}

// Thin returns at most so many pictures of each kind, evenly, with the first and the last. The pictures of a kind stand together
// in all, in the order of time.
func Thin(all []Picture, most int) []Picture {
	var l []Picture
	for len(all) > 0 {
		n := 1
		for n < len(all) && all[n].Kind == all[0].Kind {
			n++
		}
		keep := min(n, most)
		for i := range keep {
			l = append(l, all[i*(n-1)/max(keep-1, 1)])
		}
		all = all[n:]
	}
	return l
}

func notes(thinnedOut int, broken map[string]int) []string {
	var l []string
	if thinnedOut > 0 {
		l = append(l, fmt.Sprintf("%d of the pictures in the run's folder are not in this file, evenly over time.", thinnedOut))
	}
	for _, kind := range []string{"fakes", "scores", "recon", "reals"} {
		if n := broken[kind]; n > 0 {
			l = append(l, fmt.Sprintf("%s: %d could not be read and are left out.", kind, n))
			delete(broken, kind)
		}
	}
	rest := 0
	for _, n := range broken {
		rest += n
	}
	if rest > 0 {
		l = append(l, fmt.Sprintf("%d other pictures could not be read and are left out.", rest))
	}
	return l
}
