using VfioUser.Protocol;

namespace VfioUser;

/// <summary>INTx: a level-triggered interrupt, which the device asserts until the driver has handled the cause.</summary>
/// <remarks>
/// Any thread. It masks itself when it is delivered; the client unmasks it when the guest has handled it, and if INTx is
/// still asserted it is delivered again. PCI 3.0 2.2.6, 6.2.2.
/// </remarks>
public sealed class Intx : Irq
{
    private readonly ConfigSpace _config;
    private bool _asserted;
    private UnmaskWatch? _unmaskWatch;
    private Action? _resample;

    internal Intx(ConfigSpace config)
        : base(IrqType.Intx, 0, autoMask: true)
    {
        _config = config;
    }

    /// <summary>Whether the device asserts INTx.</summary>
    public bool IsAsserted => Volatile.Read(ref _asserted);

    /// <summary>Sets a handler that is called before an asserted INTx is delivered again, for example when the client unmasks it.</summary>
    /// <param name="handler">Checks whether the cause persists, and calls <see cref="Deassert"/> if not. Replaces an earlier
    /// one.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>
    /// Setup. For devices whose drivers acknowledge without a message: on a page that the client maps, or in guest memory.
    /// The guest acknowledges before it unmasks; without a handler it would be interrupted again for nothing until the device
    /// checks by itself, and Linux disables an interrupt that no driver handles.
    /// The handler runs on the Command thread, and on the thread that waits for the client's unmask eventfd.
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

    private protected override bool IsInhibited => _config.IsIntxDisabled;

    /// <summary>Asserts INTx, which interrupts the guest, and keeps it asserted.</summary>
    /// <returns>As <see cref="Irq.Trigger"/>.</returns>
    public bool Assert() => SetLevel(true);

    /// <summary>Deasserts INTx: the cause is gone. If the client has not read the eventfd yet, the signal is withdrawn.</summary>
    public void Deassert() => SetLevel(false);

    private protected override void LevelChanged(bool asserted)
    {
        Volatile.Write(ref _asserted, asserted);
        _config.SetInterruptStatus(asserted);
    }

    internal override void SetUnmaskListener(EventFd? eventFd)
    {
        UnmaskWatch? before = _unmaskWatch;
        _unmaskWatch = null; // even if the new one fails to start
        before?.Dispose();
        if (eventFd is not null)
            _unmaskWatch = UnmaskWatch.Start(this, eventFd);
    }

    internal override void Reset()
    {
        Deassert();
        base.Reset();
    }

    /// <summary>The guest wrote the command register, which may have cleared Interrupt Disable.</summary>
    internal void CommandWritten()
    {
        if (!_config.IsIntxDisabled)
            RetryDelivery();
    }
}
