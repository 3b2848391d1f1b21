// Command gnark proves, with gnark's Groth16 over BN254, a circuit of a given number of constraints in which given
// shares of the variables are below 2^32 and full-size and all others are bits, as in the circuit it is compared with.
//
// After set-up it prints one JSON line of facts; then, for each line read from standard input, it proves once and
// prints one JSON line of what that took: groth16.Prove solves the circuit within. It ends when standard input does.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark/backend/groth16"
	"github.com/consensys/gnark/constraint/solver"
	"github.com/consensys/gnark/frontend"
	"github.com/consensys/gnark/frontend/cs/r1cs"
	"github.com/consensys/gnark/logger"
)

// verifications is how often a proof is verified for the facts, after a first time.
const verifications = 20

// word is the number of bits that one full-size variable is split into.
const word = 32

// bitHeavy holds, per word: one boolean constraint for each bit, one that adds them up, and one exclusive or per bit.
// Products of full-size variables, and of two small sums of bits, follow as often as their shares ask for.
type bitHeavy struct {
	Seed        frontend.Variable
	Last        frontend.Variable `gnark:",public"`
	constraints int
	smallShare  float64
	wideShare   float64
	made        *counts
}

// counts of variables.
type counts struct{ bits, small, wide int }

func (c *counts) all() int { return c.bits + c.small + c.wide }

func (c *bitHeavy) Define(api frontend.API) error {
	state, product := c.Seed, c.Seed
	var before []frontend.Variable
	*c.made = counts{}
	for rows := 0; rows+2*word+2 < c.constraints; {
		next, err := api.Compiler().NewHint(scramble, 1, state)
		if err != nil {
			return err
		}
		bits := api.ToBinary(next[0], word)
		c.made.bits, c.made.small, rows = c.made.bits+word, c.made.small+1, rows+word+1
		if before != nil {
			for j := range bits {
				bits[j] = api.Xor(bits[j], before[(j+7)%word])
			}
			c.made.bits, rows = c.made.bits+word, rows+word
		}
		before, state = bits, next[0]
		for float64(c.made.small) < c.smallShare*float64(c.made.all()) && rows+2 < c.constraints {
			at := c.made.small % (word - 16)
			low, high := sum(api, bits[at:at+8]), sum(api, bits[at+8:at+16])
			api.Mul(api.Add(low, 2), api.Add(high, c.made.small%1000))
			c.made.small, rows = c.made.small+1, rows+1
		}
		for float64(c.made.wide) < c.wideShare*float64(c.made.all()) && rows+2 < c.constraints {
			product = api.Mul(api.Add(product, state), api.Add(product, c.made.wide+1))
			c.made.wide, rows = c.made.wide+1, rows+1
		}
	}
	api.AssertIsEqual(c.Last, api.Mul(c.Seed, c.Seed))
	return nil
}

func sum(api frontend.API, of []frontend.Variable) frontend.Variable {
	return api.Add(of[0], of[1], of[2:]...)
}

// scramble gives the next word: bits that look random are half ones, as a hash function's are.
func scramble(_ *big.Int, in, out []*big.Int) error {
	x := uint32(in[0].Uint64())*2654435761 + 0x9e3779b9
	x ^= x >> 15
	out[0].SetUint64(uint64(x))
	return nil
}

type spent struct {
	Wall float64 `json:"wall"`
	CPU  float64 `json:"cpu"`
}

func measure(work func() error) (spent, error) {
	cpu, start := cpuSeconds(), time.Now()
	err := work()
	return spent{time.Since(start).Seconds(), cpuSeconds() - cpu}, err
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

// requests has one element for each line of standard input; with its end this process ends, whatever it does.
func requests() <-chan struct{} {
	lines := make(chan struct{})
	go func() {
		for scanner := bufio.NewScanner(os.Stdin); scanner.Scan(); {
			lines <- struct{}{}
		}
		os.Exit(0)
	}()
	return lines
}

func run(constraints int, smallShare, wideShare float64) error {
	logger.Disable()
	asked := requests()
	var made counts
	circuit := &bitHeavy{constraints: constraints, smallShare: smallShare, wideShare: wideShare, made: &made}
	solver.RegisterHint(scramble)
	system, err := frontend.Compile(ecc.BN254.ScalarField(), r1cs.NewBuilder, circuit)
	if err != nil {
		return err
	}
	var proving groth16.ProvingKey
	var verifying groth16.VerifyingKey
	setup, err := measure(func() (err error) {
		proving, verifying, err = groth16.Setup(system)
		return err
	})
	if err != nil {
		return err
	}
	assignment := &bitHeavy{Seed: 12345, Last: 12345 * 12345}
	witness, err := frontend.NewWitness(assignment, ecc.BN254.ScalarField())
	if err != nil {
		return err
	}
	public, err := witness.Public()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	var proof groth16.Proof
	prove := func() (err error) {
		proof, err = groth16.Prove(system, proving, witness)
		return err
	}
	if err := prove(); err != nil {
		return err
	}
	verify := func() error { return groth16.Verify(proof, verifying, public) }
	if err := verify(); err != nil {
		return err
	}
	var verified []float64
	for range verifications {
		took, err := measure(verify)
		if err != nil {
			return err
		}
		verified = append(verified, took.Wall)
	}
	var encoded bytes.Buffer
	if _, err := proof.WriteTo(&encoded); err != nil {
		return err
	}
	share := func(of int) float64 { return float64(of) / float64(made.all()) }
	if err := out.Encode(map[string]any{
		"constraints": system.GetNbConstraints(), "setup": setup, "verify": verified, "proof_bytes": encoded.Len(),
		"shares": map[string]float64{"bits": share(made.bits), "small": share(made.small), "wide": share(made.wide)},
	}); err != nil {
		return err
	}
	for range asked {
		took, err := measure(prove)
		if err != nil {
			return err
		}
		if err := out.Encode(took); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: gnark CONSTRAINTS SMALL-SHARE WIDE-SHARE")
		os.Exit(2)
	}
	constraints, err := strconv.Atoi(os.Args[1])
	small, smallErr := strconv.ParseFloat(os.Args[2], 64)
	wide, wideErr := strconv.ParseFloat(os.Args[3], 64)
	if err = errors.Join(err, smallErr, wideErr); err == nil {
		err = run(constraints, small, wide)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gnark:", err)
		os.Exit(1)
	}
}
