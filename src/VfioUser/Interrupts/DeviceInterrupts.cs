using System.Numerics;

namespace VfioUser;

/// <summary>Interrupts by MSI-X, MSI or INTx, whichever the driver has enabled.</summary>
/// <remarks>
/// <para>Any thread. Change a cause first, then call <see cref="Trigger"/> or <see cref="Update"/>.</para>
/// <para>By MSI-X each vector is its own. By MSI with fewer vectors allotted than there are, vector i is that with number i modulo the
/// number allotted. By INTx the vectors are one level: it follows <see cref="DeviceInterruptOptions.HasCause"/>.</para>
/// </remarks>
public sealed class DeviceInterrupts
{
    private const int MaxMsiVectors = 32;
    // longer than the 100 ms after which a lock stops letting other threads overtake a waiting one: a device that triggers all the time
    // would keep this one waiting
    private static readonly TimeSpan RetryInterval = TimeSpan.FromMilliseconds(250);

    private readonly Lock _lock = new();
    private readonly ConfigSpace _config;
    private readonly IrqVectors? _msiX, _msi;
    private readonly Intx? _intx;
    private readonly Func<bool>? _hasCause;

    internal DeviceInterrupts(PciDevice device, DeviceInterruptOptions options)
    {
        if (options.Vectors is < 1 or > MsiXCapability.MaxVectors)
            throw new ArgumentOutOfRangeException(nameof(options), options.Vectors, $"Vectors is 1 to {MsiXCapability.MaxVectors}.");
        if (options.MsiXBar is null && (options.MsiXOffset != 0 || options.MsiX != new MsiXOptions()))
            throw new ArgumentException("MsiXOffset and MsiX have no effect without MsiXBar, the BAR of the table.", nameof(options));
        if (options.MsiPerVectorMask && !options.Msi)
            throw new ArgumentException("MsiPerVectorMask has no effect without Msi.", nameof(options));
        if (options.MsiXBar is null && !options.Msi && options.HasCause is null)
            throw new ArgumentException("No interrupt at all: set MsiXBar, Msi or HasCause.", nameof(options));
        if (options.MsiXBar is { } bar && bar.Device != device)
            throw new ArgumentException("The BAR of the MSI-X table belongs to another device.", nameof(options));
        Count = options.Vectors;
        _config = device.Config;
        _msiX = options.MsiXBar?.AddMsiX(options.MsiXOffset, Count, options.MsiX);
        if (options.Msi)
            _msi = device.AddMsi((int)BitOperations.RoundUpToPowerOf2((uint)Math.Min(Count, MaxMsiVectors)), options.MsiPerVectorMask);
        if (options.HasCause is null)
            return;
        _hasCause = options.HasCause;
        _intx = device.AddIntx();
        _intx.SetResampleHandler(Update);
        // the driver may have switched: a function with MSI or MSI-X enabled asserts no INTx
        foreach (PciCapability? capability in (PciCapability?[])[_config.MsiX, _config.Msi])
        {
            if (capability is not null)
                _config.Watch(capability.Offset + PciRegister.MessageControl, sizeof(ushort), (_, _) => Update());
        }
    }

    /// <summary>How many vectors the device uses.</summary>
    public int Count { get; }

    /// <summary>The kind that the driver has enabled; INTx if it has enabled no other. Null if it has not and the device has no INTx.</summary>
    public IrqType? Type => _config.MsiX is { IsEnabled: true } ? IrqType.MsiX
        : _config.Msi is { IsEnabled: true } ? IrqType.Msi
        : _intx is null ? null : IrqType.Intx;

    /// <summary>Whether INTx is asserted: a cause that the driver has not acknowledged. Any thread; may change at once.</summary>
    public bool IsAsserted => _intx is { IsAsserted: true };

    /// <summary>Interrupts the guest, after a cause has been set.</summary>
    /// <param name="vector">0 to <see cref="Count"/> - 1.</param>
    /// <returns>As <see cref="Irq.Trigger"/>; by INTx, whether it is asserted then.</returns>
    /// <exception cref="ArgumentOutOfRangeException">There is no such vector.</exception>
    public bool Trigger(int vector)
    {
        if ((uint)vector >= (uint)Count)
            throw new ArgumentOutOfRangeException(nameof(vector), vector, $"The device has the vectors 0 to {Count - 1}.");
        if (_msiX is not null && _config.MsiX!.IsEnabled)
            return _msiX[vector].Trigger();
        if (_msi is not null && _config.Msi!.EnabledVectors is > 0 and int allotted)
            return _msi[vector & (allotted - 1)].Trigger(); // a power of two
        Update();
        return IsAsserted;
    }

    /// <summary>Asserts or deasserts INTx as <see cref="DeviceInterruptOptions.HasCause"/> requires, after the driver has acknowledged,
    /// enabled or disabled a cause.</summary>
    /// <remarks>No message is sent: for a cause that was set before the driver enabled it, call <see cref="Trigger"/>.</remarks>
    public void Update()
    {
        if (_intx is null)
            return;
        // a thread in Assert may wait for a client that does not read its eventfd, and the Command thread must not wait for that one
        while (!_lock.TryEnter(RetryInterval))
            _intx.Unblock();
        try
        {
            bool assert = Type == IrqType.Intx && _hasCause!();
            if (assert == _intx.IsAsserted)
                return;
            if (assert)
                _intx.Assert();
            else
                _intx.Deassert();
        }
        finally
        {
            _lock.Exit();
        }
    }
}
