namespace VfioUser.Nvme;

/// <summary>Features. NVMe 1.4 5.21.1.</summary>
internal enum FeatureId : byte
{
    Arbitration = 0x01,
    PowerManagement = 0x02,
    TemperatureThreshold = 0x04,
    ErrorRecovery = 0x05,
    VolatileWriteCache = 0x06,
    NumberOfQueues = 0x07,
    InterruptCoalescing = 0x08,
    InterruptVectorConfiguration = 0x09,
    WriteAtomicity = 0x0A,
    AsyncEventConfiguration = 0x0B,
    Timestamp = 0x0E,
    KeepAliveTimer = 0x0F,
    HostBehaviorSupport = 0x16,
    HostIdentifier = 0x81,
    ReservationNotificationMask = 0x82,
    ReservationPersistence = 0x83,
}
