using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

public sealed partial class ConfigSpace
{
    /// <summary>Adds a device-specific register outside header and capabilities.</summary>
    /// <typeparam name="T">An integer, or a struct of integers; little-endian.</typeparam>
    /// <param name="offset">First byte, from 0x40; need not be aligned.</param>
    /// <param name="value">Value after a reset.</param>
    /// <param name="writeMask">Bits that a guest can write. None by default.</param>
    /// <param name="clearMask">Bits that a guest clears by writing 1. None by default.</param>
    /// <exception cref="ArgumentException">It overlaps something, does not fit, or a bit is in both masks.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. Capabilities without a given offset avoid what was added before them.</remarks>
    public void AddField<T>(int offset, T value, T writeMask = default, T clearMask = default)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> =>
        AddField(offset, AsBytes(in value), AsBytes(in writeMask), AsBytes(in clearMask));

    /// <summary>Adds device-specific bytes outside header and capabilities.</summary>
    /// <param name="offset">First byte, from 0x40.</param>
    /// <param name="value">Bytes after a reset; at least one.</param>
    /// <param name="writeMask">Bits that a guest can write: as long as <paramref name="value"/>, or empty for none.</param>
    /// <param name="clearMask">Bits that a guest clears by writing 1: as long as <paramref name="value"/>, or empty for none.</param>
    /// <inheritdoc cref="AddField{T}(int, T, T, T)" path="/*[not(self::param)]"/>
    public void AddField(
        int offset, ReadOnlySpan<byte> value, ReadOnlySpan<byte> writeMask = default, ReadOnlySpan<byte> clearMask = default)
    {
        ThrowIfSealed();
        CheckMasks(value, writeMask, clearMask);
        if (value.IsEmpty)
            throw new ArgumentException("A field has at least one byte.", nameof(value));
        ThrowIfOutside(offset, value.Length);

        int end = offset + value.Length;
        if (offset < PciRegister.ConventionalSize + sizeof(uint) && end > PciRegister.ConventionalSize)
        {
            throw new ArgumentException(
                "The bytes 0x100 to 0x103 are the header of the first extended capability: put the field elsewhere.",
                nameof(offset));
        }

        Claim(offset, end, $"the field at 0x{offset:X}", nameof(offset));
        Define(offset, value, writeMask, clearMask);
    }

    /// <summary>Has a handler answer a guest's reads from a range.</summary>
    /// <param name="offset">First byte of the range, anywhere in the configuration space.</param>
    /// <param name="length">Size of the range in bytes, from 1.</param>
    /// <param name="handler">Gets the part of each read that lies within the range; its offset counts from the start of
    /// the configuration space. Where ranges overlap, each handler gets the value that the one before it left.</param>
    /// <exception cref="ArgumentException">The range is empty or does not fit.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. The handler runs on the Command thread.</remarks>
    public void AddReadHandler(int offset, int length, ConfigReadHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        CheckRange(offset, length);
        ConfigHook<ConfigReadHandler>.Insert(_readHooks, new(offset, length, handler));
    }

    /// <summary>Has a handler called when a guest has written to a range.</summary>
    /// <param name="offset">First byte of the range, anywhere in the configuration space.</param>
    /// <param name="length">Size of the range in bytes, from 1.</param>
    /// <param name="handler">Gets the part of each write that lies within the range; its offset counts from the start of
    /// the configuration space. Called in order of address, then in order of adding.</param>
    /// <exception cref="ArgumentException">The range is empty or does not fit.</exception>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. The handler runs on the Command thread. This does not make the range writable: see
    /// <see cref="AddField{T}(int, T, T, T)"/>.</remarks>
    public void AddWriteHandler(int offset, int length, ConfigWriteHandler handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        CheckRange(offset, length);
        Watch(offset, length, handler);
    }

    /// <summary>Sets content and masks, unchecked. Setup.</summary>
    internal void Define(
        int offset, ReadOnlySpan<byte> value, ReadOnlySpan<byte> writeMask, ReadOnlySpan<byte> clearMask)
    {
        value.CopyTo(_bytes.AsSpan(offset));
        writeMask.CopyTo(_writeMask.AsSpan(offset));
        clearMask.CopyTo(_clearMask.AsSpan(offset));
    }

    /// <inheritdoc cref="Define(int, ReadOnlySpan{byte}, ReadOnlySpan{byte}, ReadOnlySpan{byte})"/>
    internal void Define<T>(int offset, T value, T writeMask = default, T clearMask = default)
        where T : unmanaged =>
        Define(offset, AsBytes(in value), AsBytes(in writeMask), AsBytes(in clearMask));

    /// <summary>As <see cref="AddWriteHandler"/>, unchecked. Setup.</summary>
    internal void Watch(int offset, int length, ConfigWriteHandler handler) =>
        ConfigHook<ConfigWriteHandler>.Insert(_writeHooks, new(offset, length, handler));

    private static ReadOnlySpan<byte> AsBytes<T>(in T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));

    private static void CheckMasks(ReadOnlySpan<byte> value, ReadOnlySpan<byte> writeMask, ReadOnlySpan<byte> clearMask)
    {
        CheckLength(value.Length, writeMask.Length, nameof(writeMask));
        CheckLength(value.Length, clearMask.Length, nameof(clearMask));
        for (int i = 0; i < Math.Min(writeMask.Length, clearMask.Length); i++)
        {
            if ((writeMask[i] & clearMask[i]) == 0)
                continue;
            throw new ArgumentException(
                $"Byte {i} has a bit in both masks: either a guest writes it, or writing 1 clears it.", nameof(clearMask));
        }
    }

    private static void CheckLength(int length, int maskLength, string parameter)
    {
        if (maskLength == 0 || maskLength == length)
            return;
        throw new ArgumentException(
            $"The mask has {maskLength} bytes and the value {length}: make them equal, or leave the mask empty.", parameter);
    }

    private void CheckRange(int offset, int length)
    {
        ThrowIfSealed();
        ArgumentOutOfRangeException.ThrowIfLessThan(length, 1);
        ThrowIfOutside(offset, length);
    }

    private void Claim(int offset, int end, string name, string? parameter)
    {
        if (Claimant(offset, end) is { } taken)
        {
            throw new ArgumentException(
                $"{name} (0x{offset:X} to 0x{end - 1:X}) overlaps {taken.Name} (0x{taken.Offset:X} to " +
                $"0x{taken.End - 1:X}): put it elsewhere.", parameter);
        }

        _claims.Add((offset, end, name));
    }

    private (int Offset, int End, string Name)? Claimant(int offset, int end)
    {
        foreach ((int Offset, int End, string Name) claim in _claims)
        {
            if (offset < claim.End && end > claim.Offset)
                return claim;
        }

        return null;
    }
}
