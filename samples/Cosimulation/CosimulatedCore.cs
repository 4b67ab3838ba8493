using System.Numerics;
using Microsoft.Extensions.Logging;
using VfioUser;

namespace Cosimulation;

/// <summary>Hardware that is simulated, as a part of a device: its registers are a BAR, its DMA reaches guest memory, and its interrupt
/// wires are vectors.</summary>
/// <remarks>
/// <para>Create it in the device's constructor. The device disposes the model.</para>
/// <para>An access of the guest is a transfer on the model's bus, on the Command thread. Between accesses a worker runs the clock while the
/// model asks for it. A reset of the device resets the model. A wire that rises triggers its vector; by INTx the level is that of the
/// wires.</para>
/// <para>The simulation's state cannot be saved, so the device cannot be migrated.</para>
/// </remarks>
public sealed partial class CosimulatedCore : DevicePart
{
    private readonly VerilatedModel _model;
    private readonly ModelBus _bus;
    private readonly ClockWorker _clock;
    private readonly DeviceInterrupts _interrupts;
    private readonly CosimulatedCoreOptions _options;
    private readonly uint _wires;
    private int _reported;

    /// <summary>Adds the model to a device.</summary>
    public CosimulatedCore(PciDevice device, VerilatedModel model, CosimulatedCoreOptions options)
        : base(device)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.MaxAccessCycles, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.TurnCycles, nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(options.ResetCycles, nameof(options));
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Interrupts, 1, nameof(options));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.Interrupts, 32, nameof(options));
        _model = model;
        _options = options;
        _wires = uint.MaxValue >> (32 - options.Interrupts);
        _bus = new ModelBus(model, options);
        _clock = new ClockWorker(device, _bus, new MemoryPort(device), Ran);
        Registers = device.AddBar(options.RegisterBar, BarKind.Memory32, options.RegisterSize, new RegisterBus(_bus, Accessed));
        _interrupts = device.AddInterrupts(new()
        {
            Vectors = options.Interrupts,
            MsiXBar = options.MsiXBar,
            HasCause = () => (_bus.Levels & _wires) != 0,
        });
    }

    /// <summary>The BAR with the model's registers.</summary>
    public Bar Registers { get; }

    /// <summary>Whether the model works. Any thread.</summary>
    public ModelState State => _bus.State;

    /// <inheritdoc/>
    protected override void OnReset(ResetReason reason)
    {
        _bus.Reset();
        Interlocked.Exchange(ref _reported, 0);
        Ran();
    }

    /// <inheritdoc/>
    protected override void OnDetached() => _bus.FlushTrace();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        _model.Dispose();
    }

    private void Accessed()
    {
        Ran();
        if (_bus.NeedsClock)
            _clock.Wake();
    }

    // The model has been clocked, on any thread.
    private void Ran()
    {
        for (uint risen = _bus.TakeRisen() & _wires; risen != 0; risen &= risen - 1)
            _interrupts.Trigger(BitOperations.TrailingZeroCount(risen));
        _interrupts.Update();
        if (_bus.State != ModelState.Running && Interlocked.Exchange(ref _reported, 1) == 0)
            Report(_bus.State);
    }

    private void Report(ModelState state)
    {
        if (state == ModelState.Finished)
            Finished(Device.Logger);
        else
            Stuck(Device.Logger, _options.MaxAccessCycles);
    }

    [LoggerMessage(1002, LogLevel.Warning, "The model has ended itself; until a reset, reads give all ones")]
    private static partial void Finished(ILogger logger);

    [LoggerMessage(1003, LogLevel.Warning, "The model has not answered an access to a register within {Cycles} cycles; until a reset, reads give all ones")]
    private static partial void Stuck(ILogger logger, int cycles);
}
