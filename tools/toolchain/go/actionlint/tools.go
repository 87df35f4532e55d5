//go:build tools

// Package tools pins actionlint: go.sum is its integrity check.
package tools

import _ "github.com/rhysd/actionlint/cmd/actionlint"
