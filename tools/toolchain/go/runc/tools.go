//go:build tools

// Package tools pins runc: go.sum is its integrity check.
package tools

import _ "github.com/opencontainers/runc"
