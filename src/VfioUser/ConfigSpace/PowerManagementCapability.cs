namespace VfioUser;

/// <summary>Power management: the power state that the guest has chosen, and wake-up events.</summary>
/// <remarks>Any thread, except where a member says otherwise. PCI Power Management 1.2, 3.2.</remarks>
public sealed class PowerManagementCapability : PciCapability
{
    internal const int Length = 8;

    // Offsets within the capability.
    private const int Pmc = 2;
    private const int Pmcsr = 4;

    private const ushort PmcVersion = 0x0003;
    private const int PmcD1 = 0x0200;
    private const int PmcD2 = 0x0400;
    private const int PmcPmeShift = 11;

    private const byte StateMask = 0x03;
    private const ushort PmcsrNoSoftReset = 0x0008;
    private const byte PmeEnableHigh = 0x01; // bits of the upper byte of PMCSR
    private const byte PmeStatusHigh = 0x80;

    private readonly ConfigSpace _config;
    private readonly PowerManagementOptions _options;
    private volatile PowerState _state;
    private Action<PowerState>? _changed;

    internal PowerManagementCapability(ConfigSpace config, int offset, PowerManagementOptions options)
        : base(PciRegister.CapabilityPowerManagement, offset, Length)
    {
        _config = config;
        _options = options;

        int pmc = PmcVersion | (options.D1 ? PmcD1 : 0) | (options.D2 ? PmcD2 : 0) | ((int)options.Pme << PmcPmeShift);
        config.Define(offset + Pmc, (ushort)pmc);

        // No_Soft_Reset: registers survive D3hot, so that the device need not reset itself on leaving it.
        bool pme = options.Pme != PmeStates.None;
        config.Define(
            offset + Pmcsr, PmcsrNoSoftReset,
            writeMask: (ushort)(StateMask | (pme ? PmeEnableHigh << 8 : 0)),
            clearMask: (ushort)(pme ? PmeStatusHigh << 8 : 0));
        config.Watch(offset + Pmcsr, 1, (_, _) => OnStateWritten());
    }

    /// <summary>The state that the guest has chosen; D0 after a reset.</summary>
    public PowerState PowerState => _state;

    /// <summary>Whether the guest has enabled wake-up events.</summary>
    /// <remarks>Always false without <see cref="PowerManagementOptions.Pme"/>.</remarks>
    public bool IsPmeEnabled => (_config.ReadByte(Offset + Pmcsr + 1) & PmeEnableHigh) != 0;

    /// <summary>Whether a wake-up event is pending. The device sets it, the guest clears it.</summary>
    /// <exception cref="InvalidOperationException">On setting: the device was described without
    /// <see cref="PowerManagementOptions.Pme"/>.</exception>
    /// <remarks>vfio-user has no message for the event itself, so a guest has to poll this bit.</remarks>
    public bool PmeStatus
    {
        get => (_config.ReadByte(Offset + Pmcsr + 1) & PmeStatusHigh) != 0;
        set
        {
            if (_options.Pme == PmeStates.None)
            {
                throw new InvalidOperationException(
                    "The device cannot signal PME: set PowerManagementOptions.Pme to the states in which it can.");
            }

            _config.SetBits(Offset + Pmcsr + 1, PmeStatusHigh, value ? (byte)0xFF : (byte)0);
        }
    }

    /// <summary>Adds a handler that is called when the guest has changed the power state; a reset does not call it.</summary>
    /// <param name="handler">Gets the new state. Runs on the Command thread. Several handlers are called in the order in which
    /// they were added.</param>
    /// <exception cref="InvalidOperationException">The device is being served.</exception>
    /// <remarks>Setup.</remarks>
    public void AddStateChangeHandler(Action<PowerState> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        if (_config.IsSealed)
            throw new InvalidOperationException("The device is being served: set the handler in the device's constructor.");

        _changed += handler;
    }

    internal void OnReset() => _state = StoredState();

    private PowerState StoredState() => (PowerState)(_config.ReadByte(Offset + Pmcsr) & StateMask);

    private void OnStateWritten()
    {
        PowerState wanted = StoredState();
        bool known = wanted switch { PowerState.D1 => _options.D1, PowerState.D2 => _options.D2, _ => true };
        if (!known)
        {
            // PM 1.2 3.2.4: the write completes, and no state changes.
            _config.SetBits(Offset + Pmcsr, StateMask, (byte)_state);
            return;
        }

        if (wanted == _state)
            return;
        _state = wanted;
        _changed?.Invoke(wanted);
    }
}
