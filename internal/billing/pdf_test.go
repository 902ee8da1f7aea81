package billing

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/botyard/botyard/internal/plan"
)

// longInvoice has n lines, with names of many alphabets.
func longInvoice(n int) Invoice {
	issued := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	names := []string{
		"Plus, Ærøskøbing Ščepán Žižka Łódź", "Ἑλληνικά και ελληνικά: Αθήνα", "Рабочее пространство Київ Ђорђе",
		"Crème brûlée à la façon d'Île-de-France ĳ ÿ", "Größe, Straße, Übermaß", "Tiếng Việt có dấu",
	}
	i := Invoice{
		ID: "inv_1", Workspace: "wkspace_01J9ZZZZZZZZZZZZZZZZZZZZZZ", Number: 1234567, Currency: "usd", CreatedAt: issued, DueAt: issued.AddDate(0, 0, 7),
		Period: monthOf(issued), Seller: "Żółw & Müller OÜ\nΟδός Ερμού 5\n105 63 Αθήνα\nVAT EL123456789",
		Note: "Pay to IBAN GR16 0110 1250 0000 0001 2300 695.\nBank: Εθνική Τράπεζα",
		BillTo: BillTo{Name: "Фабрика «Надежда» Ltd", Email: "счета@example.com", Address: &Address{
			LineOne: "ул. Ленина, д. 1", LineTwo: "Büro 2", City: "Škofja Loka", State: "Île", PostalCode: "12-345", Country: "si",
		}},
	}
	for k := range n {
		l := Line{
			Kind: AddonLine, ID: fmt.Sprint("addon", k), Description: fmt.Sprintf("%04d %s", k, names[k%len(names)]),
			Amount: plan.Cents(1000 + k), Quantity: int64(k%7 + 1), UnitPrice: plan.Cents(1000), From: issued, Until: issued.AddDate(0, 1, 0),
		}
		i.Lines, i.Total = append(i.Lines, l), i.Total+l.Amount
	}
	for _, l := range []Line{
		{Kind: TaxLine, Description: "ΦΠΑ 24 %", Amount: i.Total.Share(24, 100)},
		{Kind: BalanceLine, Description: "From your balance", Amount: -500},
	} {
		i.Lines, i.Total = append(i.Lines, l), i.Total+l.Amount
	}
	return i
}

// run runs a program of poppler on a PDF; the suite's setup installs them.
func run(t *testing.T, program string, pdf []byte, args ...string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "invoice.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(program, append([]string{file}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, text)
	}
	return string(text)
}

// An invoice of 300 lines is read back as text, whole and in order, with its head on
// every page.
func TestPaper(t *testing.T) {
	i := longInvoice(300)
	pdf, err := renderPDF(i)
	if err != nil {
		t.Fatal(err)
	}
	if dir := os.Getenv("BOTYARD_KEEP_PDF"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "invoice.pdf"), pdf, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := run(t, "pdftotext", pdf, "-layout", "-")
	pages := strings.Split(strings.TrimSuffix(text, "\f"), "\f")
	if len(pages) < 8 {
		t.Errorf("300 lines are on %d pages", len(pages))
	}
	for n, page := range pages {
		for _, says := range []string{"Description", "Amount (USD)", "INV-1234567", fmt.Sprintf("Page %d of %d", n+1, len(pages))} {
			if !strings.Contains(page, says) {
				t.Errorf("page %d does not say %q", n+1, says)
			}
		}
	}
	flat := strings.Join(strings.Fields(text), " ")
	at := 0
	for k, l := range i.Lines[:300] {
		want := strings.Join(strings.Fields(fmt.Sprintf("%s %d 10.00 %s 2026-03-01 to 2026-03-31", l.Description, l.Quantity, l.Amount)), " ")
		found := strings.Index(flat[at:], want)
		if found < 0 {
			t.Fatalf("line %d, %q, is not in the text after the lines before it", k, want)
		}
		at += found
	}
	for _, says := range []string{
		"Żółw & Müller OÜ", "Οδός Ερμού 5", "Фабрика «Надежда» Ltd", "счета@example.com", "ул. Ленина, д. 1", "12-345 Škofja Loka", "SI",
		"2026-03-01", "2026-03-08", string(i.Workspace), "ΦΠΑ 24 %", "Total " + i.Total.String(), "-5.00", "GR16 0110", "Εθνική Τράπεζα",
	} {
		if !strings.Contains(flat, says) {
			t.Errorf("the invoice does not say %q", says)
		}
	}
	fonts := run(t, "pdffonts", pdf)
	if !strings.Contains(fonts, "yes yes yes") && !strings.Contains(fonts, "yes no  yes") {
		t.Errorf("the font is not embedded:\n%s", fonts)
	}
	if len(pdf) > 200<<10 {
		t.Errorf("the invoice has %d bytes: is the font embedded whole?", len(pdf))
	}
	again, err := renderPDF(i)
	if err != nil || !bytes.Equal(pdf, again) {
		t.Errorf("drawn again it is different: %v", err)
	}
}

// A credit note is called one, and is not due.
func TestPaperOfCreditNote(t *testing.T) {
	i := longInvoice(1)
	i.Kind = CreditNote
	pdf, err := renderPDF(i)
	if err != nil {
		t.Fatal(err)
	}
	text := run(t, "pdftotext", pdf, "-layout", "-")
	if !strings.Contains(text, "Credit note") || strings.Contains(text, "Due") || strings.Contains(text, "Invoice") {
		t.Errorf("the credit note says %s", text)
	}
}

// What people call themselves never keeps an invoice from being drawn.
func TestPaperOfStrangeNames(t *testing.T) {
	for _, name := range []string{
		"", " ", "\x00\x01\r\n\t", "🤖 robots 🚀", strings.Repeat("W", 500), strings.Repeat("Ж ", 500), "漢字 かな 한글", "שלום مرحبا",
		"a\u0301\u200b\u202e", "\xff\xfe", "{pages}", "(\\) %PDF <</>>",
	} {
		i := longInvoice(1)
		i.BillTo.Name, i.Lines[0].Description, i.Seller, i.Note = name, name, name, name
		pdf, err := renderPDF(i)
		if err != nil {
			t.Errorf("%.20q: %v", name, err)
			continue
		}
		text := strings.Join(strings.Fields(run(t, "pdftotext", pdf, "-layout", "-")), " ")
		if !strings.Contains(text, "Total "+i.Total.String()) || !strings.Contains(text, "Page 1 of") {
			t.Errorf("%.20q spoils the rest: %.300s", name, text)
		}
	}
}

func TestFace(t *testing.T) {
	font, err := face()
	if err != nil {
		t.Fatal(err)
	}
	const released = "abdc775b21b1bc470d50c97e790d276f2054b7504e56e5bd3e64f48d68582322" // of DejaVuSans.ttf 2.37
	if sum := sha256.Sum256(font); hex.EncodeToString(sum[:]) != released {
		t.Error("the font is not the one that was released; its licence demands another name then")
	}
	if !strings.Contains(Notice(), "Bitstream Vera") {
		t.Error("the notice has no licence")
	}
}

func BenchmarkPaper(b *testing.B) {
	i := longInvoice(5)
	for b.Loop() {
		if _, err := renderPDF(i); err != nil {
			b.Fatal(err)
		}
	}
}
