package optim

// IsFused tells whether a steps with libtorch's fused kernel.
func IsFused(a *Adam) bool { return a.resident != nil && a.resident.fused != "" }

// Unfuse makes a step with calls over lists, as where there is no kernel.
func Unfuse(a *Adam) { a.resident.fused = "" }
