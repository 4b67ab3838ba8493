using VfioUser;

namespace Cosimulation;

/// <summary>The model's clock: runs as fast as the simulation does while the model needs it, and stands still otherwise.</summary>
internal sealed class ClockWorker(PciDevice device, ModelBus bus, MemoryPort memory, Action ran) : PollingWorker(device, "clock")
{
    protected override bool Poll()
    {
        // an access of the guest stops a virtual CPU, so it comes first; a lock alone would not see to that
        if (bus.IsWanted)
        {
            Thread.Yield();
            return true;
        }
        MemoryRequest? request = bus.Run();
        ran();
        if (request is { } wanted)
        {
            bool succeeded = memory.TryCarryOut(wanted, out ulong data);
            bus.Answer(succeeded, data);
        }
        return bus.NeedsClock;
    }

    // who looks at the waveform of what is over finds all of it
    protected override bool Arm()
    {
        bus.FlushTrace();
        return bus.NeedsClock;
    }
}
