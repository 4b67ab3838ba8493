namespace Cosimulation;

/// <summary>A simulation of hardware, made from its Verilog by Verilator: what a <see cref="CosimulatedCore"/> clocks.</summary>
/// <remarks>One device has it, and disposes it. Several may be loaded from one file: each is a simulation of its own.</remarks>
public sealed class VerilatedModel : IDisposable
{
    /// <summary>How many cycles are traced when nothing else is said: a waveform of this many takes about 100 MB.</summary>
    public const long DefaultTraceCycles = 1_000_000;

    private VerilatedModel(NativeModel native) => Native = native;

    internal NativeModel Native { get; }

    /// <summary>Loads a library that <c>samples/Cosimulation/build-model</c> has made, and starts a simulation of it.</summary>
    /// <param name="path">Of the library.</param>
    /// <param name="tracePath">A file for the waveform, in the format VCD; null for none.</param>
    /// <param name="traceCycles">How many cycles are traced, from the beginning: a guest decides how long the clock runs, and so the size
    /// of the file.</param>
    /// <exception cref="IOException">The library cannot be loaded, or the trace cannot be written.</exception>
    public static VerilatedModel Load(string path, string? tracePath = null, long traceCycles = DefaultTraceCycles)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfNegative(traceCycles);
        return new VerilatedModel(new NativeModel(path, tracePath, (ulong)traceCycles));
    }

    /// <inheritdoc/>
    public void Dispose() => Native.Dispose();
}
