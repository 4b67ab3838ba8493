using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>A vendor-specific capability, or an extended one: a header, and data whose meaning the vendor defines.</summary>
/// <remarks><b>Setup</b> for the handlers, else as <see cref="ConfigSpace"/> says. PCI 3.0 6.7, PCI Express 2.0 7.18.</remarks>
public sealed class VendorCapability : PciCapability
{
    private readonly ConfigSpace _config;

    internal VendorCapability(
        ConfigSpace config, ushort id, int offset, int headerSize, ReadOnlySpan<byte> data, VendorCapabilityAccess access)
        : base(id, offset, headerSize + data.Length)
    {
        _config = config;
        DataOffset = offset + headerSize;
        DataLength = data.Length;

        byte[] writeMask = new byte[data.Length];
        if (access == VendorCapabilityAccess.Writable)
            writeMask.AsSpan().Fill(0xFF);
        config.Define(DataOffset, data, writeMask, clearMask: default);
    }

    /// <summary>Where the data starts in the configuration space.</summary>
    public int DataOffset { get; }

    /// <summary>Size of the data in bytes.</summary>
    public int DataLength { get; }

    /// <summary>Reads a value from the data, as it is stored.</summary>
    /// <typeparam name="T">An integer, or a struct of integers; little-endian.</typeparam>
    /// <param name="offset">First byte, from the start of the data.</param>
    /// <exception cref="ArgumentOutOfRangeException">The value does not lie within the data.</exception>
    /// <remarks>Any thread.</remarks>
    public T Read<T>(int offset)
        where T : unmanaged
    {
        T value = default;
        Span<byte> bytes = MemoryMarshal.AsBytes(new Span<T>(ref value));
        CheckWithin(offset, bytes.Length);
        _config.Read(DataOffset + offset, bytes);
        return value;
    }

    /// <summary>Writes a value to the data as the device, whether or not a guest can.</summary>
    /// <typeparam name="T">An integer, or a struct of integers; little-endian.</typeparam>
    /// <param name="offset">First byte, from the start of the data.</param>
    /// <param name="value">Replaces what is there.</param>
    /// <exception cref="ArgumentOutOfRangeException">The value does not lie within the data.</exception>
    /// <remarks>As <see cref="ConfigSpace.Write{T}(int, T)"/>.</remarks>
    public void Write<T>(int offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T>
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
        CheckWithin(offset, bytes.Length);
        _config.Write(DataOffset + offset, bytes);
    }

    /// <summary>Has a handler answer a guest's reads of the data.</summary>
    /// <param name="handler">Gets the part of each read that lies within the data; its offset counts from there.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <exception cref="ArgumentException">The capability has no data.</exception>
    /// <remarks>Setup. The handler runs on the Command thread.</remarks>
    public void AddReadHandler(ConfigReadHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        _config.AddReadHandler(DataOffset, DataLength, (offset, value) => handler(offset - DataOffset, value));
    }

    /// <summary>Has a handler called when a guest has written to the data.</summary>
    /// <param name="handler">Gets the part of each write that lies within the data; its offset counts from there. Called
    /// for read-only data, too, although nothing is stored: so it can serve as a command register.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <exception cref="ArgumentException">The capability has no data.</exception>
    /// <remarks>Setup. The handler runs on the Command thread.</remarks>
    public void AddWriteHandler(ConfigWriteHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        _config.AddWriteHandler(DataOffset, DataLength, (offset, written) => handler(offset - DataOffset, written));
    }

    private void CheckWithin(int offset, int size)
    {
        if (offset >= 0 && offset <= DataLength - size)
            return;
        throw new ArgumentOutOfRangeException(nameof(offset), offset,
            $"{size} bytes at {offset} do not lie within the {DataLength} bytes of data.");
    }
}

/// <summary>What a guest can do with the data of a vendor-specific capability.</summary>
/// <remarks>Immutable.</remarks>
public enum VendorCapabilityAccess
{
    /// <summary>Read it; writes are dropped.</summary>
    ReadOnly,

    /// <summary>Read and write all of it.</summary>
    Writable,
}
