using System.Numerics;
using System.Runtime.InteropServices;

namespace VfioUser;

/// <summary>
/// The configuration space of a device: header, capabilities and registers of its own. 256 bytes, or 4096 once the device
/// has a PCI Express or an extended capability.
/// </summary>
/// <remarks>
/// <para>
/// Three bytes describe each byte: its content, the bits that a guest can write, and the bits that a guest clears by
/// writing 1. So every access works at any offset and any width, and no write of a guest is an error: it changes the bits
/// that it may change.
/// </para>
/// <para>
/// <b>Setup</b> for every method that adds; the rest is <b>Any thread</b>, unless a member says otherwise. Guest accesses run on the
/// Command thread. Each byte changes atomically, a register of several bytes does not.
/// </para>
/// </remarks>
public sealed partial class ConfigSpace : RegisterBlock
{
    // as long as the configuration space
    private byte[] _bytes = new byte[PciRegister.ConventionalSize];
    private byte[] _writeMask = new byte[PciRegister.ConventionalSize];
    private byte[] _clearMask = new byte[PciRegister.ConventionalSize];
    private readonly List<ConfigHook<ConfigReadHandler>> _readHooks = [];
    private readonly List<ConfigHook<ConfigWriteHandler>> _writeHooks = [];
    private readonly List<(int Offset, int End, string Name)> _claims = [];
    private readonly UnmodelledAccesses _unmodelled;
    private byte[]? _described;

    internal ConfigSpace(PciId id, PciClass deviceClass, UnmodelledAccesses? unmodelled = null)
    {
        _unmodelled = unmodelled ?? new UnmodelledAccesses();
        DescribeHeader(id, deviceClass);
    }

    /// <summary>Size in bytes: 256, or 4096.</summary>
    /// <remarks>Any thread. It grows when a PCI Express or an extended capability is added, and with
    /// <see cref="Extend"/>.</remarks>
    public int Size => _bytes.Length;

    /// <summary>Whether <see cref="Seal"/> has been called.</summary>
    internal bool IsSealed => _described is not null;

    /// <summary>Makes the configuration space 4096 bytes large; without effect if it is already.</summary>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup. Only needed for fields beyond the first 256 bytes in a device without extended capabilities.
    /// Linux does not look there unless the device has a PCI Express capability.</remarks>
    public void Extend()
    {
        ThrowIfSealed();
        Array.Resize(ref _bytes, PciRegister.ExtendedSize);
        Array.Resize(ref _writeMask, PciRegister.ExtendedSize);
        Array.Resize(ref _clearMask, PciRegister.ExtendedSize);
    }

    /// <summary>Reads a value, as it is stored.</summary>
    /// <typeparam name="T">An integer, or a struct of integers; little-endian.</typeparam>
    /// <param name="offset">First byte, 0 to <see cref="Size"/> - size of <typeparamref name="T"/>; need not be aligned.</param>
    /// <exception cref="ArgumentOutOfRangeException">The value does not lie within the configuration space.</exception>
    /// <remarks>Any thread. Read handlers are not called.</remarks>
    public T Read<T>(int offset)
        where T : unmanaged
    {
        T value = default;
        Read(offset, MemoryMarshal.AsBytes(new Span<T>(ref value)));
        return value;
    }

    /// <summary>Reads bytes, as they are stored.</summary>
    /// <param name="offset">First byte, 0 to <see cref="Size"/>.</param>
    /// <param name="destination">Filled completely.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the configuration space.</exception>
    /// <remarks>Any thread. Read handlers are not called.</remarks>
    public void Read(int offset, Span<byte> destination)
    {
        ThrowIfOutside(offset, destination.Length);
        _bytes.AsSpan(offset, destination.Length).CopyTo(destination);
        ReadRegisters(offset, destination, asGuest: false);
    }

    /// <summary>Writes a value as the device, whether or not a guest can.</summary>
    /// <typeparam name="T">An integer, or a struct of integers; little-endian.</typeparam>
    /// <param name="offset">First byte, 0 to <see cref="Size"/> - size of <typeparamref name="T"/>; need not be aligned.</param>
    /// <param name="value">Replaces what is there, read-only bits included.</param>
    /// <exception cref="ArgumentOutOfRangeException">The value does not lie within the configuration space.</exception>
    /// <remarks>
    /// Setup: then this is the value that a reset restores. Later, Command thread; Any thread for bytes that no guest can
    /// write. A reset leaves read-only bits as they were written last. Write handlers are not called.
    /// </remarks>
    public void Write<T>(int offset, T value)
        where T : unmanaged, IBinaryInteger<T>, IUnsignedNumber<T> => Write(offset, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Writes bytes as the device, whether or not a guest can.</summary>
    /// <param name="offset">First byte, 0 to <see cref="Size"/>.</param>
    /// <param name="source">Replaces what is there, read-only bits included.</param>
    /// <exception cref="ArgumentOutOfRangeException">The bytes do not all lie within the configuration space.</exception>
    /// <remarks>As <see cref="Write{T}(int, T)"/>.</remarks>
    public void Write(int offset, ReadOnlySpan<byte> source)
    {
        ThrowIfOutside(offset, source.Length);
        bool wasBusMaster = IsBusMasterEnabled;
        source.CopyTo(_bytes.AsSpan(offset));
        if (IsBusMasterEnabled != wasBusMaster)
            BusMasterChanged?.Invoke();
        WriteRegisters(offset, source, asGuest: false);
    }

    /// <summary>A guest reads. Command thread; never fails: past the end it reads all ones, as where no device answers.</summary>
    internal void GuestRead(int offset, Span<byte> destination)
    {
        int length = Clip(offset, destination.Length);
        destination[length..].Fill(0xFF);
        if (length == 0)
            return;

        destination = destination[..length];
        if (_interceptor is null)
        {
            AnswerRead(offset, destination);
            return;
        }
        destination.Clear();
        _interceptor.Read(offset, destination);
    }

    /// <summary>A guest writes. Command thread; never fails: bits that it cannot write are dropped.</summary>
    internal void GuestWrite(int offset, ReadOnlySpan<byte> source)
    {
        int length = Clip(offset, source.Length);
        if (_interceptor is null)
            AnswerWrite(offset, source[..length]);
        else if (length > 0)
            _interceptor.Write(offset, source[..length]);
    }

    private void AnswerRead(int offset, Span<byte> destination)
    {
        int length = destination.Length;
        _bytes.AsSpan(offset, length).CopyTo(destination);
        ReadRegisters(offset, destination, asGuest: true);
        for (int i = 0; i < _readHooks.Count; i++)
        {
            if (_readHooks[i].Overlaps(offset, length, out int start, out int count))
                _readHooks[i].Handler(start, destination.Slice(start - offset, count));
        }
    }

    private void AnswerWrite(int offset, ReadOnlySpan<byte> source)
    {
        int length = source.Length;
        for (int i = 0; i < length; i++)
            Merge(offset + i, source[i]);
        WriteRegisters(offset, source, asGuest: true);

        for (int i = 0; i < _writeHooks.Count; i++)
        {
            if (_writeHooks[i].Overlaps(offset, length, out int start, out int count))
                _writeHooks[i].Handler(start, source.Slice(start - offset, count));
        }
    }

    /// <summary>Ends setup. <see cref="Reset"/> restores the bits that a guest can change to their values at this moment.</summary>
    internal void Seal() => _described ??= _bytes.ToArray();

    /// <summary>
    /// Restores the bits that a guest can change to their values at setup: BARs and command register are cleared, interrupts
    /// are disabled and none is pending, the power state is D0. Command thread; calls no handler, since
    /// <see cref="PciDevice.OnReset"/> is called afterwards.
    /// </summary>
    internal void Reset(bool keepSticky = false)
    {
        if (_described is null)
            throw new InvalidOperationException("Call Seal before Reset.");

        for (int i = 0; i < Size; i++)
        {
            byte mask = (byte)(_writeMask[i] | _clearMask[i]);
            if (keepSticky)
                mask = (byte)(mask & ~(PciExpress?.KeptByFunctionLevelReset(i) ?? 0));
            if (mask != 0)
                SetBits(i, mask, _described[i]);
        }

        foreach (NamedPart register in _registers)
            register.ResetWith(keepSticky);
        PowerManagement?.OnReset();
        Msi?.OnReset();
        ResizableBars?.ApplySizes();
    }

    /// <summary>Replaces the bits in <paramref name="mask"/>, and no others. Any thread.</summary>
    internal void SetBits(int offset, byte mask, byte value)
    {
        byte seen = Volatile.Read(ref _bytes[offset]);
        while (true)
        {
            byte next = (byte)((seen & ~mask) | (value & mask));
            byte found = Interlocked.CompareExchange(ref _bytes[offset], next, seen);
            if (found == seen)
            {
                if (offset == PciRegister.Command && ((seen ^ next) & PciRegister.CommandBusMaster) != 0)
                    BusMasterChanged?.Invoke();
                return;
            }
            seen = found;
        }
    }

    /// <summary>A volatile read of one byte. Any thread.</summary>
    internal byte ReadByte(int offset) => Volatile.Read(ref _bytes[offset]);

    private void Merge(int offset, byte value)
    {
        // Clearing a bit is writing 0 to it. One exchange writes and clears, so that a device thread that sets a status bit
        // and a guest that clears its neighbour do not undo each other.
        int mask = _writeMask[offset] | (_clearMask[offset] & value);
        if (mask != 0)
            SetBits(offset, (byte)mask, (byte)(value & _writeMask[offset]));
    }

    private int Clip(int offset, int length) => (uint)offset < (uint)Size ? Math.Min(length, Size - offset) : 0;

    private void ThrowIfSealed()
    {
        if (IsSealed)
        {
            throw new InvalidOperationException(
                "The configuration space cannot be described any more, since the device is being served: " +
                "do it in the device's constructor.");
        }
    }

    private void ThrowIfOutside(int offset, int length)
    {
        if (offset < 0 || length > Size - offset)
        {
            throw new ArgumentOutOfRangeException(nameof(offset), offset,
                $"{length} bytes at 0x{offset:X} do not lie within the {Size} bytes of configuration space. " +
                (Size == PciRegister.ConventionalSize ? "Call Extend first to have 4096." : "Use a smaller offset."));
        }
    }
}
