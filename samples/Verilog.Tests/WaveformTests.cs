using System.Globalization;
using Cosimulation;
using Verilog.Guest;
using Verilog.Tests.Support;
using VfioUser.Testing;

namespace Verilog.Tests;

/// <summary>The file that <c>--trace</c> writes.</summary>
public sealed class WaveformTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("waveform-");

    private string PathOfTrace => Path.Combine(_folder.FullName, "trace.vcd");

    [VerilatorFact]
    public void Waveform_has_the_signals_of_a_job()
    {
        using CopyCard card = new(Models.LoadCopyCrc(PathOfTrace));
        using (TestGuest guest = TestGuest.Attach(card))
            new CopyDriver(guest).Run(guest.Place("123456789"u8), destination: null, length: 9).Should().Be(CopyDriver.Done);

        string[] lines = File.ReadAllLines(PathOfTrace); // while the card still has it
        string irq = CodeOf(lines, "irq"), crc = CodeOf(lines, "crc");

        lines.Should().ContainInOrder($"0{irq}", $"1{irq}", $"0{irq}");
        lines.Should().Contain($"b{~0xE3069283u:B32} {crc}", "the sum is in a register that no driver sees");
    }

    [VerilatorFact]
    public void Waveform_ends_after_the_cycles_that_were_asked_for()
    {
        using CopyCard card = new(Models.LoadCopyCrc(PathOfTrace, traceCycles: 50));
        using (TestGuest guest = TestGuest.Attach(card))
            new CopyDriver(guest).Run(guest.Place(new byte[4096]), destination: null, length: 4096).Should().Be(CopyDriver.Done);

        long last = File.ReadLines(PathOfTrace).Where(line => line.StartsWith('#')).Max(line => long.Parse(line.AsSpan(1), CultureInfo.InvariantCulture));

        last.Should().BeInRange(400, 500, "a cycle is 10 ns");
    }

    [VerilatorFact]
    public void Trace_that_cannot_be_written_is_an_error()
    {
        Action load = () => Models.LoadCopyCrc(Path.Combine(_folder.FullName, "missing", "trace.vcd"));

        load.Should().Throw<IOException>().WithMessage("*cannot be written*");
    }

    [VerilatorFact]
    public void File_that_is_no_model_is_an_error()
    {
        File.WriteAllText(PathOfTrace, "no library");
        Action load = () => VerilatedModel.Load(PathOfTrace);

        load.Should().Throw<IOException>().WithMessage("*build-model*");
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static string CodeOf(string[] lines, string signal) =>
        lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .First(words => words is ["$var", _, _, _, string name, ..] && string.Equals(name, signal, StringComparison.Ordinal))[3];
}
