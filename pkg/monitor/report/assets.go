package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"html"
	"strings"
)

var (
	//go:embed page/page.html
	pageHTML string
	//go:embed page/page.css
	pageCSS string

	//go:embed page/util.js
	utilJS string
	//go:embed page/model.js
	modelJS string
	//go:embed page/draw.js
	drawJS string
	//go:embed page/chart.js
	chartJS string
	//go:embed page/input.js
	inputJS string
	//go:embed page/charts.js
	chartsJS string
	//go:embed page/timeline.js
	timelineJS string
	//go:embed page/sections.js
	sectionsJS string
	//go:embed page/live.js
	liveJS string
	//go:embed page/page.js
	pageJS string
)

// script is one script: a function around all the files, so that they see each other and nobody else does.
var script = "(() => {\n'use strict';\n" +
	strings.Join([]string{utilJS, modelJS, drawJS, chartJS, inputJS, chartsJS, timelineJS, sectionsJS, liveJS, pageJS}, "\n") +
	"})();\n"

// policy lets the page run what it was written with, and show pictures and ask for addresses of these sources.
func policy(pictures, connect string) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; script-src " + hash(script) + "; style-src " + hash(pageCSS) + "; img-src " + pictures +
		"; connect-src " + connect + "; base-uri 'none'; form-action 'none'"
}

// pageParts is the page around its data. The data is in elements that a browser does not run.
func pageParts(title, policy string) (head, tail string) {
	fill := strings.NewReplacer(
		"{{title}}", html.EscapeString(title),
		"{{policy}}", html.EscapeString(policy),
		"{{style}}", pageCSS,
		"{{script}}", script,
	)
	head, tail, _ = strings.Cut(pageHTML, "{{data}}") // first: a title may hold the mark
	return fill.Replace(head), fill.Replace(tail)
}

// dataElement holds the document. encoding/json escapes <, > and & as well as U+2028, so that nothing in it ends the
// element or the comment that a browser might see in it.
func dataElement(d document) (string, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return "", err
	}
	return `<script type="application/json" id="data">` + string(b) + "</script>\n", nil
}
