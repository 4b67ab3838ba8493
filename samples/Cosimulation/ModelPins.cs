using System.Runtime.InteropServices;

namespace Cosimulation;

/// <summary>The ports of a model: what drives its inputs, and what its outputs were after the last edge of the clock.</summary>
/// <remarks>The layout of <c>Pins</c> in <c>native/cosimulation.cpp</c>.</remarks>
[StructLayout(LayoutKind.Sequential)]
internal struct ModelPins
{
    public ulong DmaAddress;
    public ulong DmaWriteData;
    public ulong DmaReadData;
    public ulong Cycle;
    public uint RegisterAddress;
    public uint RegisterWriteData;
    public uint RegisterReadData;
    public uint Interrupts;
    public uint RisenInterrupts; // since they were last taken
    public byte RegisterValid; // falls when the transfer is done
    public byte RegisterWrite;
    public byte RegisterStrobes;
    public byte DmaValid;
    public byte DmaWrite;
    public byte DmaStrobes;
    public byte DmaReady; // falls when the model has taken the answer
    public byte DmaError;
    public byte ClockRequest;
    public byte Finished;
    public ushort Unused;

    /// <summary>Whether the clock has to run: the model asks for it, or for memory.</summary>
    public readonly bool NeedsClock => Finished == 0 && (ClockRequest | DmaValid) != 0;
}
