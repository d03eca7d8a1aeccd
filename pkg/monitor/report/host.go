package report

import (
	"net"
	"net/netip"
	"strings"
)

// hostAllowed says whether a page that was asked for under this name can be trusted to be ours. A page of another site can
// make its own name point to this machine, and would then be of the same origin; it cannot do so with an IP address.
func hostAllowed(host string, allowed []string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	} else if inner, ok := strings.CutPrefix(host, "["); ok {
		name = strings.TrimSuffix(inner, "]") // IPv6 without a port
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	name = strings.TrimSuffix(name, ".")
	if strings.EqualFold(name, "localhost") {
		return true
	}
	for _, a := range allowed {
		if a != "" && strings.EqualFold(name, strings.TrimSuffix(a, ".")) {
			return true
		}
	}
	return false
}
