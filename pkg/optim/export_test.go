package optim

// IsFused tells whether a steps with libtorch's fused kernel.
func IsFused(a *Adam) bool { return a.resident != nil && a.resident.fused != "" }

// Unfuse makes a step with calls over lists, as where there is no kernel.
func Unfuse(a *Adam) { a.resident.fused = "" }

// HasKernels tells whether g works with libtorch's kernels for gradient scalers.
func HasKernels(g *GradScaler) bool { return g.unscales && g.updates }

// WithoutKernels makes g work with calls over lists and tensor arithmetic, as where there are no kernels.
func WithoutKernels(g *GradScaler) { g.unscales, g.updates = false, false }
