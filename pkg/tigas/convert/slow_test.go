//go:build slow

package convert_test

const mutations = 10_000
