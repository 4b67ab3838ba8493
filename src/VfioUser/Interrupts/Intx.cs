using VfioUser.Protocol;

namespace VfioUser;

/// <summary>The interrupt pin: a level that the device asserts until the driver has dealt with the cause.</summary>
/// <remarks>
/// Any thread. It masks itself when it is delivered; the client unmasks it when the guest has handled it, and if the
/// level still stands it is delivered again. PCI 3.0 2.2.6, 6.2.2.
/// </remarks>
public sealed class Intx : Irq
{
    private readonly ConfigSpace _config;
    private bool _asserted;
    private UnmaskWatch? _unmaskWatch;
    private Action? _resample;

    internal Intx(ConfigSpace config)
        : base(PciIrq.Intx, 0, autoMask: true)
    {
        _config = config;
    }

    /// <summary>Whether the device holds the pin asserted.</summary>
    public bool IsAsserted => Volatile.Read(ref _asserted);

    /// <summary>Has a handler called before a level that stands is delivered again, as when the client unmasks the pin.</summary>
    /// <param name="handler">Looks whether the cause is there still, and calls <see cref="Deassert"/> if it is not. Replaces
    /// an earlier one.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>
    /// Setup. For devices whose drivers acknowledge where nobody tells of it: on a page that the client maps, or in guest
    /// memory. The guest has acknowledged before it unmasks; without a handler it is interrupted once more for nothing,
    /// over and over until the device looks by itself, and Linux switches an interrupt off for which nobody cares.
    /// The handler runs on the Command thread, and on the thread that watches the client's eventfd for unmasking.
    /// </remarks>
    public void SetResampleHandler(Action handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        Device?.ThrowIfServed();
        _resample = handler;
    }

    private protected override bool IsLevelAsserted => IsAsserted;

    private protected override void Resample()
    {
        if (IsAsserted)
            _resample?.Invoke();
    }

    private protected override bool IsInhibited => _config.IntxDisabled;

    /// <summary>Asserts the pin, which interrupts the guest, and keeps it asserted.</summary>
    /// <returns>As <see cref="Irq.Trigger"/>.</returns>
    public bool Assert() => SetLevel(true);

    /// <summary>Releases the pin: the cause is gone. A client that has not read the interrupt yet does not get it any more.</summary>
    public void Deassert() => SetLevel(false);

    private protected override void LevelChanged(bool asserted)
    {
        Volatile.Write(ref _asserted, asserted);
        _config.SetInterruptStatus(asserted);
    }

    internal override void SetUnmaskListener(EventFd? eventFd)
    {
        UnmaskWatch? before = _unmaskWatch;
        _unmaskWatch = null; // whatever becomes of the new one, the old one is over
        before?.Dispose();
        if (eventFd is not null)
            _unmaskWatch = UnmaskWatch.Start(this, eventFd);
    }

    internal override void Reset()
    {
        Deassert();
        base.Reset();
    }

    /// <summary>The guest wrote the command register, which may have let the pin go again.</summary>
    internal void CommandWritten()
    {
        if (!_config.IntxDisabled)
            RetryDelivery();
    }
}
