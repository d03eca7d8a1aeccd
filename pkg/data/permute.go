package data

// permute maps i to a pseudo-random place in [0, n), one to one for each seed and epoch. Unlike a shuffled list it needs
// no memory, and any position of the stream is reached at once: resuming costs nothing.
//
// It is a Feistel network on the smallest even number of bits that holds n, applied again while the result lies outside
// (cycle walking, Black and Rogaway 2002).
func permute(i, n, seed, epoch uint64) uint64 {
	if n <= 1 {
		return 0
	}
	half := uint64(1)
	for uint64(1)<<(2*half) < n {
		half++
	}
	mask := uint64(1)<<half - 1
	for {
		l, r := i>>half, i&mask
		for round := range uint64(6) {
			l, r = r, l^(mix(r, seed, epoch*8+round)&mask)
		}
		i = l<<half | r
		if i < n {
			return i
		}
	}
}

// mix hashes three numbers to 64 bits (the finaliser of SplitMix64, twice).
func mix(x, seed, round uint64) uint64 {
	x ^= seed*0x9e3779b97f4a7c15 + round*0xd1342543de82ef95
	for range 2 {
		x ^= x >> 30
		x *= 0xbf58476d1ce4e5b9
		x ^= x >> 27
		x *= 0x94d049bb133111eb
		x ^= x >> 31
	}
	return x
}
